"""The search attributes of entry workflows, and their registration by the program itself. Opaque ids only."""

from __future__ import annotations

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.service import RPCError, RPCStatusCode

WORKSPACE = SearchAttributeKey.for_keyword("JourneysWorkspace")
CANVAS = SearchAttributeKey.for_keyword("JourneysCanvas")
PLAN = SearchAttributeKey.for_keyword("JourneysPlan")
PERSON = SearchAttributeKey.for_keyword("JourneysPerson")

ALL = (WORKSPACE, CANVAS, PLAN, PERSON)


async def register_search_attributes(client: Client) -> None:
    """Make sure that the namespace knows our search attributes; safe to repeat and to race.

    Raises RPCError where the server refuses it, for want of rights say: then an operator registers the four keyword
    attributes `JourneysWorkspace`, `JourneysCanvas`, `JourneysPlan` and `JourneysPerson` by hand.
    """
    known = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    missing = {
        key.name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
        for key in ALL
        if key.name not in known.custom_attributes
    }
    if not missing:
        return
    try:
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing)
        )
    except RPCError as error:
        if error.status != RPCStatusCode.ALREADY_EXISTS:
            raise
