"""Mail accounts: made, changed, removed and verified while the daemon runs."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from litestar import Controller, HttpMethod, Response, route
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter

from api.account_details import ShownAccounts
from api.bodies import checked
from api.problems import BadRequest, Mistake
from api.routes import commands, reads
from api.schemas.account_orders import AccountOrder, NewAccount
from api.schemas.accounts import Account, AccountPage, VerificationResult, VerificationTriage
from daemon.access.roles import Role
from daemon.clock import Clock
from daemon.operations.accounts import AccountOperations, SecretNeeded
from daemon.taxonomy import RunState
from daemon.triage.assessment import Assessment

CHANGES: Role = "admin"
"""What a key must be allowed to do to change accounts."""

SETTINGS = frozenset(NewAccount.__struct_fields__) - {"username", "password", "oauth"}
"""What the audit trail may show of a request: not who logs in, also where that is no address."""

NameInPath = Annotated[str, PathParameter(description="Name of the account.")]


class AccountEndpoints(Controller):
    """What is below the path `/api/accounts`, registered together: two paths have several methods."""

    path = "/api/accounts"
    tags = ("accounts",)

    @route("/", http_method=HttpMethod.OPTIONS, include_in_schema=False, sync_to_thread=False)
    def allow(self) -> Response[None]:
        """Says which methods there are."""
        return Response(None, status_code=204, headers={"Allow": "GET, OPTIONS, POST"})

    @reads("/", summary="All mail accounts", operation_id="listAccounts")
    def list_accounts(
        self, shown_accounts: NamedDependency[ShownAccounts], clock: NamedDependency[Clock]
    ) -> AccountPage:
        """Those of the configuration and those that were made here, without their secrets."""
        return AccountPage(accounts=shown_accounts.now().all(), timestamp=clock.now())

    @commands(
        "/",
        action="accounts.create",
        subject_field="name",
        known_fields=SETTINGS,
        role=CHANGES,
        status_code=201,
        guards=[checked(NewAccount, NewAccount.problems)],
        summary="Make a mail account",
        operation_id="createAccount",
        response_headers=[
            ResponseHeader("Location", description="Where the account is.", documentation_only=True)
        ],
    )
    def create(
        self,
        shown_accounts: NamedDependency[ShownAccounts],
        account_operations: NamedDependency[AccountOperations],
        by: NamedDependency[str],
        data: JSONBody[NewAccount],
    ) -> Response[Account]:
        """Takes effect at once, without a restart; the next cycle includes it."""
        secret = data.secret()
        assert secret is not None, "the body was checked"
        account_operations.create(data.name, data.source(), secret, by)
        where = f"/api/accounts/{quote(data.name, safe='')}"
        return Response(shown_accounts.now().one(data.name), headers={"Location": where})

    @route(
        "/{name:str}", http_method=HttpMethod.OPTIONS, include_in_schema=False, sync_to_thread=False
    )
    def allow_one(self, name: NameInPath) -> Response[None]:  # noqa: ARG002
        """Says which methods there are."""
        return Response(None, status_code=204, headers={"Allow": "DELETE, GET, OPTIONS, PUT"})

    @reads("/{name:str}", summary="One mail account", operation_id="getAccount")
    def get_account(
        self, shown_accounts: NamedDependency[ShownAccounts], name: NameInPath
    ) -> Account:
        """The account in force of that name, without its secret."""
        return shown_accounts.now().one(name)

    @commands(
        "/{name:str}",
        action="accounts.replace",
        known_fields=SETTINGS,
        method="PUT",
        role=CHANGES,
        status_code=200,
        guards=[checked(AccountOrder, AccountOrder.problems)],
        summary="Replace a mail account",
        operation_id="replaceAccount",
    )
    def replace(
        self,
        shown_accounts: NamedDependency[ShownAccounts],
        account_operations: NamedDependency[AccountOperations],
        by: NamedDependency[str],
        name: NameInPath,
        data: JSONBody[AccountOrder],
    ) -> Account:
        """Replaces all settings. The secret stays if it is left out and goes to the same server.

        An account whose latest run failed, refused credentials included, runs at once.
        """
        try:
            account_operations.replace(name, data.source(), data.secret(), by)
        except SecretNeeded as error:
            raise BadRequest(
                [Mistake("the secret again, for the new server", pointer=data.secret_pointer)]
            ) from error
        return shown_accounts.now().one(name)

    @commands(
        "/{name:str}",
        action="accounts.remove",
        method="DELETE",
        role=CHANGES,
        status_code=204,
        summary="Remove a mail account",
        operation_id="deleteAccount",
    )
    def remove(
        self,
        account_operations: NamedDependency[AccountOperations],
        by: NamedDependency[str],
        name: NameInPath,
    ) -> None:
        """Forgets the account and its secret. A run of it goes on to its end; its history stays."""
        account_operations.remove(name, by)

    @commands(
        "/{name:str}/verify",
        action="accounts.verify",
        status_code=200,
        summary="Try a mail account's login",
        operation_id="verifyAccount",
    )
    def verify(
        self,
        account_operations: NamedDependency[AccountOperations],
        clock: NamedDependency[Clock],
        name: NameInPath,
    ) -> VerificationResult:
        """Connects and logs in now, and answers with the triage of what went wrong, if anything did.

        A login that works lets an account run again, at once, whose credentials had been refused.
        """
        found = account_operations.verify(name)
        return VerificationResult(
            name=name,
            ok=found.failed is None,
            state=RunState.CONNECTING if found.failed else RunState.COMPLETED,
            duration_seconds=found.duration_seconds,
            triage=_triage(found.failed) if found.failed else None,
            timestamp=clock.now(),
        )


def _triage(assessed: Assessment) -> VerificationTriage:
    return VerificationTriage(
        category=assessed.category,
        group=assessed.group,
        retryable=assessed.retryable,
        rule=assessed.rule,
        user_message=assessed.user_message,
        suggested_action=assessed.suggested_action,
        error_message=assessed.message,
    )
