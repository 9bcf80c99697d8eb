"""A person at the wizard: what they click and type, in the words that they see."""

from __future__ import annotations

import itertools
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.far_customer import Api, Customer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Locator, Page

    from sandbox.world import World

WEB: Final = Path(__file__).parents[2] / "chalicelib" / "web"
SHOTS: Final = Path(__file__).parents[2] / "screenshots"
WANTED: Final = bool(os.environ.get("SCREENSHOTS"))
"""SCREENSHOTS=1: pictures of every step are put into screenshots/, at two widths, light and dark."""
PATIENCE_MS: Final = 20_000
REMARKS: Final = (
    # The browser notes each refused request by itself; whether those are right is for the tests to say.
    "Failed to load resource",
    # So it does when a message is not delivered to an origin that it is not for: the point of naming one.
    "Failed to execute 'postMessage' on 'DOMWindow': The target origin provided",
    # Without TLS, away from the loopback.
    "The Cross-Origin-Opener-Policy header has been ignored",
)
_numbers = itertools.count()


def words(language: str) -> dict[str, str]:
    """Return the wizard's texts by key. But for its first word and last commas the file is JSON."""
    text = (WEB / f"{language}.js").read_text(encoding="utf-8").partition("export default ")[2].strip().rstrip(";")
    groups: dict[str, dict[str, str]] = json.loads(re.sub(r",(\s*})", r"\1", text))
    return {f"{group}.{name}".rstrip("."): words for group, names in groups.items() for name, words in names.items()}


class Person:
    """Somebody with a browser, a token and an AWS account."""

    def __init__(
        self,
        browser: Browser,
        world: World,
        *,
        tenant: str | None = None,
        subject: str = "administrator",
        url: str | None = None,
        language: str = "en",
        width: int = 1280,
        **options: Any,  # what the browser's context is made with
    ) -> None:
        keys = world.accounts.customer
        self.world = world
        self.tenant = tenant or f"tenant-{next(_numbers)}-web"
        self.token = world.issuer.token(self.tenant, subject=subject)
        self.url = url or world.gateway.url
        self.language = language
        self.words = words(language)
        self.api = Api(world.gateway.url, self.token)
        self.customer = Customer(world.aws.url, keys.account, keys.access_key_id, keys.secret_access_key)
        self.troubles: list[str] = []
        self.requests: list[str] = []
        self._context = browser.new_context(
            locale=language, viewport={"width": width, "height": 900}, reduced_motion="reduce", **options
        )
        self.page: Page = self._context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.on("pageerror", lambda error: self.troubles.append(f"error: {error}"))
        self.page.on("console", self._listen)
        self.page.on("request", lambda request: self.requests.append(f"{request.method} {request.url}"))

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith(REMARKS):
            self.troubles.append(f"{message.type}: {message.text}")

    def leave(self) -> None:
        """Close the browser."""
        self._context.close()

    def say(self, key: str, **values: object) -> str:
        """Return a text of the wizard in the person's language."""
        text = self.words[key]
        for name, value in values.items():
            text = text.replace(f"{{{name}}}", str(value))
        return text

    @property
    def main(self) -> Locator:
        """What the page is about, without the texts that are only read out: some of them are the same."""
        return self.page.locator("main")

    def button(self, key: str, **values: object) -> Locator:
        """Find a button by its text's key."""
        return self.page.get_by_role("button", name=self.say(key, **values), exact=True)

    def link(self, key: str) -> Locator:
        """Find a link by its text's key."""
        return self.page.get_by_role("link", name=self.say(key), exact=True)

    def field(self, key: str) -> Locator:
        """Find a field by its label's key."""
        return self.page.get_by_label(self.say(key), exact=False).first

    def title(self, key: str) -> None:
        """Wait for the page with this title."""
        self.page.get_by_role("heading", level=1, name=self.say(key), exact=True).wait_for()

    def told(self, key: str, **values: object) -> Locator:
        """Wait for the message with this title, and return it."""
        banner = self.page.locator(".banner", has=self.page.locator(".banner-title", has_text=self.say(key, **values)))
        banner.first.wait_for()
        return banner.first

    def go(self, where: str = "") -> None:
        """Open an address of the wizard: what stands behind #."""
        self.page.goto(f"{self.url}/{where}")

    def sign_in(self, where: str = "") -> None:
        """Paste the token, and confirm."""
        self.go(where)
        self.field("token.label").fill(self.token)
        self.button("token.go").click()
        self.confirm()

    def confirm(self) -> None:
        """Say that the named organization is one's own."""
        self.button("confirm.yes", tenant=self.tenant).click()
        self.page.get_by_role("navigation", name=self.say("nav")).wait_for()

    def create(self, name: str = "Acme production", *, account: bool = True) -> str:
        """Fill in step 1; return the connection's id, as the address has it."""
        if "#/new" not in self.page.url:
            self.go("#/new")
        self.title("details.title")
        self.page.get_by_label(self.say("details.name"), exact=True).fill(name)
        if account:
            self.field("details.account").fill(self.customer.account)
        self.button("details.create").click()
        self.title("role.title")
        return self.page.url.split("/c/")[1].split("/")[0]

    def make_role(self, connection_id: str, **changes: Any) -> str:
        """Create the role in the customer's account, from the documents unless policies are given; return its ARN."""
        documents = self.api.get(f"/v1/connections/{connection_id}/documents").json
        name = self.api.get(f"/v1/connections/{connection_id}").json["expected_role_arn"].rpartition("/")[2]
        return self.customer.create_role(
            name,
            changes.get("trust_policy", documents["trust_policy"]),
            changes.get("permissions_policy", documents["permissions_policy"]),
        )

    def active(self, name: str = "Acme production") -> str:
        """Have a connection whose role passed its checks, made through the API; return its id."""
        body = {"name": name, "region": "us-east-1", "account_id": self.customer.account}
        connection = self.api.post("/v1/connections", body).json
        arn = self.make_role(connection["id"])
        report = self.api.post(f"/v1/connections/{connection['id']}/verification", {"role_arn": arn}).json
        if report["status"] != "active":
            raise AssertionError(report)
        return str(connection["id"])

    def snap(self, name: str) -> None:
        """Take pictures of the page as it is, when they are wanted."""
        if not WANTED:
            return
        SHOTS.mkdir(exist_ok=True)
        before = self.page.viewport_size
        for scheme in ("light", "dark"):
            self.page.emulate_media(color_scheme=scheme)
            for width in (1280, 360):
                self.page.set_viewport_size({"width": width, "height": 900})
                path = SHOTS / f"{name}-{self.language}-{scheme}-{width}.png"
                self.page.screenshot(path=path, full_page=True)
        self.page.emulate_media(color_scheme="light")
        if before is not None:
            self.page.set_viewport_size(before)
