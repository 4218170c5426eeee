"""What parts of the daemon publish, by itself."""

from __future__ import annotations

from threading import Thread

from daemon.clock import FakeClock
from daemon.topics import KEPT_SECONDS, LISTED_NOTICES, MOST_ENDED, Topics


def test_a_topic_is_its_newest_state_and_its_latest_notices() -> None:
    topics = Topics(FakeClock())
    topic = topics.open("upload/1", "begun")
    for number in range(LISTED_NOTICES + 5):
        topic.show(f"state {number}")
        topic.notify(number)
    state, notices, latest, ended = topic.read()
    assert (state, notices, ended) == ("state 14", 15, False)
    assert latest == tuple(range(5, 15))
    assert topics.find("upload/1") is topic
    assert topics.find("upload/2") is None


def test_nothing_changes_a_topic_that_ended() -> None:
    topic = Topics(FakeClock()).open("upload/1", "begun")
    topic.end("done")
    topic.show("late")
    topic.notify("late")
    topic.end("later")
    assert topic.read() == ("done", 0, (), True)


def test_a_topic_that_ended_is_found_for_a_while() -> None:
    clock = FakeClock()
    topics = Topics(clock)
    topics.open("upload/1", "begun").end("done")
    clock.advance(KEPT_SECONDS - 1)
    topic = topics.find("upload/1")
    assert topic is not None
    assert topic.read().state == "done"
    clock.advance(1)
    assert topics.find("upload/1") is None


def test_no_more_topics_that_ended_are_kept_than_there_is_room_for() -> None:
    topics = Topics(FakeClock())
    going_on = topics.open("upload/on", "begun")
    for number in range(MOST_ENDED + 2):
        topics.open(f"upload/{number}", "begun").end("done")
    assert topics.find("upload/1") is None
    assert topics.find("upload/2") is not None
    assert topics.find("upload/on") is going_on


def test_what_is_open_is_gone_on_with_and_what_ended_begins_anew() -> None:
    topics = Topics(FakeClock())
    topic = topics.open("upload/1", "begun")
    assert topics.open("upload/1", "begun again") is topic
    assert topic.read().state == "begun again"
    topic.end("done")
    again = topics.open("upload/1", "retried")
    topic.end("late")
    assert topics.find("upload/1") is again
    assert again.read() == ("retried", 0, (), False)


def test_notices_of_many_threads_are_all_counted() -> None:
    topic = Topics(FakeClock()).open("upload/1", "begun")

    def work() -> None:
        for number in range(2_000):
            topic.notify(number)

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert topic.read().notices == 8_000
