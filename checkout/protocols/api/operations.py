"""Everything that can be asked for, one row each: the routes and the OpenAPI document are made from this table."""

from __future__ import annotations

from checkout.api_keys import Scope
from checkout.protocols.api import models, orders, payments, products, refunds
from checkout.protocols.api.entry import Operation

OPERATIONS = (
    Operation(
        "POST", "/orders", "create_order", "Create an order", Scope.ORDERS_WRITE, orders.create, models.Order,
        status=201, also=(200,), body=models.NewOrder, finish=orders.with_prompt, refusals=(403, 404, 409, 502, 503),
        about="201 for a new order; 200 with the one that waits under this number already. Send the buyer to `pay_url`,"
        " or show `prompt` yourself. The same number with other details, or of a paid order, is refused (409).",
    ),
    Operation(
        "GET", "/orders", "list_orders", "List orders, the newest first", Scope.ORDERS_READ, orders.listed,
        models.Orders, query=models.OrderFilter,
    ),
    Operation(
        "GET", "/orders/{order}", "get_order", "Look at an order", Scope.ORDERS_READ, orders.get, models.Order,
        refusals=(404,),
    ),
    Operation(
        "POST", "/orders/{order}/close", "close_order", "Close an order that waits", Scope.ORDERS_WRITE, orders.close,
        models.Order, refusals=(404, 409, 503),
        about="Money that comes all the same still pays it: the order is then paid and `late`.",
    ),
    Operation(
        "POST", "/orders/{order}/refunds", "create_refund", "Give money back", Scope.REFUNDS_WRITE, refunds.create,
        models.Refund, status=201, body=models.NewRefund, refusals=(404, 409, 503),
        about="Through the gateway that the order was paid by; `state` is asked until that has said how it ended."
        " Money that came to a personal code you send back in the app, and record here with `by_hand`.",
    ),
    Operation(
        "GET", "/orders/{order}/refunds", "list_refunds", "List the refunds of an order", Scope.ORDERS_READ,
        refunds.listed, models.Refunds, refusals=(404,),
    ),
    Operation(
        "GET", "/products", "list_products", "List products by their id", Scope.PRODUCTS_READ, products.listed,
        models.Products, query=models.ProductFilter,
    ),
    Operation(
        "GET", "/products/{product}", "get_product", "Look at a product", Scope.PRODUCTS_READ, products.get,
        models.Product, refusals=(404,),
    ),
    Operation(
        "GET", "/payments", "list_payments", "List payments, the newest first", Scope.PAYMENTS_READ, payments.listed,
        models.Payments, query=models.PaymentFilter,
        about="Those for your own orders. Money that fits no order is listed for the first merchant only.",
    ),
    Operation(
        "GET", "/payments/{payment}", "get_payment", "Look at a payment", Scope.PAYMENTS_READ, payments.get,
        models.Payment, refusals=(404,),
    ),
    Operation(
        "POST", "/payments/{payment}/link", "link_payment", "Say which order a payment was meant for",
        Scope.PAYMENTS_WRITE, payments.link, models.Payment, body=models.NewLink, refusals=(404, 409, 503),
        about="For payments that are suspected, unmatched or unreadable. It pays the order, and cannot be undone.",
    ),
)  # fmt: skip
