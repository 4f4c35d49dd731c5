"""The ledger and its signed heads."""

from django.contrib import admin
from django.utils.safestring import SafeString
from unfold.decorators import display

from signals.admin.read_only import ReadOnlyAdmin, short_hash
from signals.models import LedgerEntry, LedgerHead


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    """The salt is not shown: whoever has it and a hash can check a guess of what a tier may not see yet."""

    list_display = ["sequence", "kind", "schema_version", "shown_hash"]
    first_row = "The first entry is written with the first signal."
    list_filter = ["kind"]
    search_fields = ["=sequence", "=hash"]
    search_help_text = "Sequence or whole hash"
    fields = ["sequence", "kind", "schema_version", "content", "prev_hash", "hash"]
    readonly_fields = ["content"]
    show_full_result_count = False

    @display(description="Hash")
    def shown_hash(self, entry: LedgerEntry) -> SafeString:
        return short_hash(entry.hash)

    @display(description="Payload, as it was hashed")
    def content(self, entry: LedgerEntry) -> str:
        return bytes(entry.payload).decode()


@admin.register(LedgerHead)
class LedgerHeadAdmin(ReadOnlyAdmin):
    list_display = ["signed_at", "size", "shown_root", "shown_key"]
    first_row = "The first head is signed once the ledger has an entry and a key is set up."
    list_filter = ["public_key"]
    date_hierarchy = "signed_at"

    @display(description="Root")
    def shown_root(self, head: LedgerHead) -> SafeString:
        return short_hash(head.root_hash)

    @display(description="Key")
    def shown_key(self, head: LedgerHead) -> SafeString:
        return short_hash(head.public_key)
