"""Telegram Stars: invoices, the question before a payment, charges and their refunds."""

import asyncio
import secrets
from dataclasses import dataclass, field

from copilot_project.sandbox.telegram.call import Call
from copilot_project.sandbox.telegram.errors import bad_request

CHECKOUT_SECONDS = 10.0
LONGEST_PAYLOAD, LONGEST_TITLE, LONGEST_DESCRIPTION = 128, 32, 255


@dataclass
class Stars:
    """What is open and what was paid. Telegram waits ten seconds for the answer to a checkout."""

    invoices: dict[int, str] = field(default_factory=dict)  # payload by message id
    waiting: dict[str, "asyncio.Future[str]"] = field(default_factory=dict)
    charges: dict[str, dict[str, object]] = field(default_factory=dict)
    owners: dict[str, int] = field(default_factory=dict)
    refunded: set[str] = field(default_factory=set)

    def ask(self) -> tuple[str, "asyncio.Future[str]"]:
        """A question's id, and what becomes its answer: the problem, empty when it may be paid."""
        query_id = str(secrets.randbelow(10**18))
        self.waiting[query_id] = asyncio.get_running_loop().create_future()
        return query_id, self.waiting[query_id]

    def answer(self, query_id: str, *, ok: bool, problem: str) -> None:
        """Raises TelegramError for a question that nobody asked or whose time is over."""
        waiting = self.waiting.pop(query_id, None)
        if waiting is None or waiting.done():
            raise bad_request("query is too old and response timeout expired or query ID is invalid")
        if not ok and not problem:
            raise bad_request("error_message must be non-empty")
        waiting.set_result("" if ok else problem)

    def charge(self, user_id: int, stars: int, payload: str) -> dict[str, object]:
        """Telegram's SuccessfulPayment of a new charge."""
        charge_id = f"sandbox{secrets.token_hex(16)}"
        payment: dict[str, object] = {
            "currency": "XTR",
            "total_amount": stars,
            "invoice_payload": payload,
            "telegram_payment_charge_id": charge_id,
            "provider_payment_charge_id": "",
        }
        self.charges[charge_id], self.owners[charge_id] = payment, user_id
        return payment

    def refund(self, user_id: int, charge_id: str) -> dict[str, object]:
        """The payment that went back. Raises TelegramError as Telegram does."""
        if self.owners.get(charge_id) != user_id:
            raise bad_request("CHARGE_NOT_FOUND")
        if charge_id in self.refunded:
            raise bad_request("CHARGE_ALREADY_REFUNDED")
        self.refunded.add(charge_id)
        return self.charges[charge_id]


def read_invoice(call: Call) -> tuple[dict[str, object], str]:
    """Telegram's Invoice object and its payload. Raises TelegramError for what Telegram refuses."""
    title, description, payload = call.text("title"), call.text("description"), call.text("payload")
    if not 1 <= len(title) <= LONGEST_TITLE:
        raise bad_request("INVOICE_TITLE_INVALID")
    if not 1 <= len(description) <= LONGEST_DESCRIPTION:
        raise bad_request("INVOICE_DESCRIPTION_INVALID")
    if not 1 <= len(payload.encode()) <= LONGEST_PAYLOAD:
        raise bad_request("INVOICE_PAYLOAD_INVALID")
    if call.text("currency") != "XTR":
        raise bad_request("CURRENCY_INVALID: the sandbox knows Telegram Stars only")
    if call.text("provider_token"):
        raise bad_request("PAYMENT_PROVIDER_INVALID")
    prices = call.parsed("prices")
    if not isinstance(prices, list) or len(prices) != 1 or not isinstance(prices[0], dict):
        raise bad_request("STARS_INVOICE_INVALID: exactly one price")
    amount = int(str(prices[0].get("amount", 0)))
    if not 1 <= amount <= 10_000:
        raise bad_request("STARS_AMOUNT_INVALID")
    return {
        "title": title,
        "description": description,
        "start_parameter": "",
        "currency": "XTR",
        "total_amount": amount,
    }, payload
