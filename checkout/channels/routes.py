"""Where official gateways send notices and buyers come back: `/notify/<channel>`, `/return/<channel>`."""

from __future__ import annotations

import logging

from flask import Blueprint, Response, redirect, request

from checkout import gateways, inquiries, scans
from checkout.channel import Channel, GatewayError, NoticeRefused, Raw, Reply, Start
from checkout.channels.static_codes import ProductCall, SellsByCode
from checkout.errors import Code, Refusal
from checkout.http.client import within
from checkout.scans import Scan
from checkout.settings import secret_for
from checkout.web import MAX_BODY, client_address, parts, url_for_buyers

log = logging.getLogger(__name__)

_SCANNED_S = 4.0  # WeChat waits five seconds for the answer


def routes() -> Blueprint:
    blueprint = Blueprint("channels", __name__)
    blueprint.add_url_rule("/notify/<name>", "notify", notify, methods=["GET", "POST"])
    blueprint.add_url_rule("/notify/<name>/product", "product", product, methods=["GET", "POST"])
    blueprint.add_url_rule("/return/<name>", "returned", returned, methods=["GET", "POST"])
    return blueprint


def notify(name: str) -> Response:
    """Stores what a believed notice says before it is answered; what is not believed is answered with a refusal."""
    channel, now = _channel(name), parts().clock()
    try:
        notice = channel.read_notice(_raw(now))
        accepted = gateways.handle_notice(parts().store, channel, notice, new_id=parts().new_id, now=now)
    except (NoticeRefused, GatewayError) as error:
        log.warning("A notice to %s was refused: %s", channel.name, error)
        accepted = False
    if accepted:
        parts().wake()
    return _answer(channel.reply_accepted() if accepted else channel.reply_refused())


def product(name: str) -> Response:
    """A static code was scanned: the gateway asks what is to be paid, and is answered whatever comes of it."""
    channel, now = _channel(name), parts().clock()
    if not isinstance(channel, SellsByCode):
        raise Refusal(Code.NOT_FOUND, "This channel has no static codes.")
    secret = secret_for(parts().settings)

    def opened(call: ProductCall) -> Start:
        scan = Scan(call.product, call.openid, call.nonce, call.now)
        return scans.begin(parts().till, channel, scan, secret, client_address())

    with within(_SCANNED_S):
        return _answer(channel.answer_product(_raw(now), opened))


def returned(name: str) -> Response:
    """A return proves nothing: it shows the order's page, and has the gateway asked once, soon."""
    channel, now = _channel(name), parts().clock()
    try:
        token = channel.read_return(_raw(now))
    except NoticeRefused as error:
        raise Refusal(Code.BAD_SIGNATURE, "This return address does not come from the gateway.") from error
    inquiries.came_back(parts().store, channel, token, now)
    parts().wake()
    answer = redirect(url_for_buyers(f"/pay/{token}"), 303)
    assert isinstance(answer, Response)
    return answer


def _channel(name: str) -> Channel:
    channel = parts().channels.get(name)
    if channel is None:
        raise Refusal(Code.NOT_FOUND, "There is no such channel.")
    return channel


def _raw(now: int) -> Raw:
    body = request.get_data(cache=False) if (request.content_length or 0) <= MAX_BODY else b""
    if (request.content_length or 0) > MAX_BODY or len(body) > MAX_BODY:
        raise Refusal(Code.BAD_REQUEST, "The body is too long: at most 64 KiB.")
    headers = {key.lower(): value for key, value in request.headers.items()}
    return Raw(request.method, request.query_string, body, headers, now)


def _answer(reply: Reply) -> Response:
    return Response(reply.body, reply.status, content_type=reply.mimetype)
