"""What the owner reads in an alert: one short sentence on what is wrong and one on what to do, in three languages.

Alerts are made outside any request, so they have a table of their own instead of the pages' catalogues.
"""

from __future__ import annotations

import json
from datetime import datetime, tzinfo

from checkout.model.owner import Alert

Texts = dict[str, tuple[str, str, str]]  # zh-CN, zh-TW, en
_COLUMN = {"zh-CN": 0, "zh-TW": 1, "en": 2}

_TITLES: Texts = {
    "one": ("需要您处理", "需要您處理", "Something needs you"),
    "many": ("{count} 件事需要您处理", "{count} 件事需要您處理", "{count} things need you"),
    "over": ("已恢复", "已恢復", "All clear"),
    "test": ("测试", "測試", "Test"),
}
TEST: tuple[str, str, str] = (
    "提醒能送到这里。",
    "提醒能送到這裡。",
    "Alerts arrive here.",
)

# kind, or kind:2 where every level above the first reads differently
_RAISED: Texts = {
    "phone": (
        "手机「{name}」离线了，最后一次心跳是 {since}。请打开监听 App，检查网络和后台权限。",
        "手機「{name}」離線了，最後一次心跳是 {since}。請打開監聽 App，檢查網路和背景權限。",
        "Phone {name} is offline, last heard of at {since}. Open its app, check network and background permission.",
    ),
    "callback": (
        "商户「{name}」没有接受通知，{waiting} 条正在重试。请检查商店的通知地址。",
        "商戶「{name}」沒有接受通知，{waiting} 條正在重試。請檢查商店的通知位址。",
        "The shop {name} refuses its messages; being tried again: {waiting}. Check its notify URL.",
    ),
    "callback:2": (
        "商户「{name}」有 {failed} 条通知已放弃。修好商店后请逐条重发。",
        "商戶「{name}」有 {failed} 條通知已放棄。修好商店後請逐條重發。",
        "Messages to the shop {name} given up: {failed}. Mend the shop, then send them again.",
    ),
    "webhook": (
        "Webhook「{about}」因失败已暂停，消息会保留。修好接收方后请恢复它。",
        "Webhook「{about}」因失敗已暫停，訊息會保留。修好接收方後請恢復它。",
        "The webhook {about} was paused because it failed; its messages are kept. Mend the receiver, then resume it.",
    ),
    "event": (
        "Webhook「{about}」没有接受事件，{waiting} 条正在重试。请检查接收方。",
        "Webhook「{about}」沒有接受事件，{waiting} 條正在重試。請檢查接收方。",
        "The webhook {about} refuses its events; being tried again: {waiting}. Check its receiver.",
    ),
    "event:2": (
        "Webhook「{about}」有 {failed} 条事件已放弃。修好接收方后请逐条重发。",
        "Webhook「{about}」有 {failed} 條事件已放棄。修好接收方後請逐條重發。",
        "Events for the webhook {about} given up: {failed}. Mend the receiver, then send them again.",
    ),
    "review": (
        "有 {count} 笔收款对不上订单。请到「待确认」里处理。",
        "有 {count} 筆收款對不上訂單。請到「待確認」裡處理。",
        "Payments that fit no order: {count}. Look at them under “Review”.",
    ),
    "late": (
        "过去一天有 {count} 个订单在过期后才付款，已记为已付。请核对是否需要发货或退款。",
        "過去一天有 {count} 個訂單在過期後才付款，已記為已付。請核對是否需要出貨或退款。",
        "Orders paid after their time in the last day: {count}. They count as paid; see whether to deliver or refund.",
    ),
    "stock": (
        "「{title}」只剩 {left} 件。请补货。",
        "「{title}」只剩 {left} 件。請補貨。",
        "Only {left} left of {title}. Add more.",
    ),
    "stock:2": (
        "「{title}」已售罄。请补货或下架。",
        "「{title}」已售罄。請補貨或下架。",
        "{title} is sold out. Add more, or take it off sale.",
    ),
    "disk": (
        "磁盘快满了，只剩 {free} MB；低于 {least} MB 时不再接受新订单。请清理磁盘。",
        "磁碟快滿了，只剩 {free} MB；低於 {least} MB 時不再接受新訂單。請清理磁碟。",
        "The disk is nearly full: {free} MB left; below {least} MB new orders are refused. Make room.",
    ),
    "disk:2": (
        "磁盘已满（剩 {free} MB），新订单已被拒绝。请立即清理磁盘。",
        "磁碟已滿（剩 {free} MB），新訂單已被拒絕。請立即清理磁碟。",
        "The disk is full ({free} MB left) and new orders are refused. Make room now.",
    ),
    "damage": (
        "数据库已损坏，新订单已被拒绝，到账仍会记录：{said}",
        "資料庫已損壞，新訂單已被拒絕，到帳仍會記錄：{said}",
        "New orders are refused, money is still noted: {said}",
    ),
    "backup": (
        "备份失败了：{said} 请处理后再运行 checkout backup。",
        "備份失敗了：{said} 請處理後再執行 checkout backup。",
        "The backup failed: {said} Then run checkout backup again.",
    ),
    "gateway": (
        "官方网关「{channel}」没有应答：{said} 请检查网络和它的公告。",
        "官方閘道「{channel}」沒有應答：{said} 請檢查網路和它的公告。",
        "The gateway {channel} does not answer: {said} Check the network and its notices.",
    ),
}
_CLEARED: Texts = {
    "phone": ("手机「{name}」恢复在线。", "手機「{name}」恢復在線。", "Phone {name} is back online."),
    "callback": (
        "商户「{name}」收到了全部通知。",
        "商戶「{name}」收到了全部通知。",
        "The shop {name} has all its messages.",
    ),
    "webhook": ("Webhook「{about}」已恢复。", "Webhook「{about}」已恢復。", "The webhook {about} is in use again."),
    "event": (
        "Webhook「{about}」收到了全部事件。",
        "Webhook「{about}」收到了全部事件。",
        "The webhook {about} has all its events.",
    ),
    "review": ("所有收款都已处理。", "所有收款都已處理。", "No payment waits for review any more."),
    "stock": ("「{title}」已补货。", "「{title}」已補貨。", "{title} is in stock again."),
    "disk": ("磁盘空间已恢复。", "磁碟空間已恢復。", "There is room on the disk again."),
    "damage": ("数据库完好，恢复接单。", "資料庫完好，恢復接單。", "The database is sound; orders are taken again."),
    "backup": ("备份成功了。", "備份成功了。", "The backup succeeded."),
    "gateway": (
        "官方网关「{channel}」恢复应答。",
        "官方閘道「{channel}」恢復應答。",
        "The gateway {channel} answers again.",
    ),
}
KINDS = tuple(kind for kind in _RAISED if ":" not in kind)


def says_when_over(kind: str) -> bool:
    return kind in _CLEARED


def sentence(alert: Alert, language: str, zone: tzinfo) -> str:
    """The text of an alert: that something is wrong, or that it is over."""
    column = _COLUMN[language]
    if alert.cleared_at is not None and alert.kind in _CLEARED:
        text = _CLEARED[alert.kind][column]
    else:
        worse = _RAISED.get(f"{alert.kind}:2") if alert.level > 1 else None
        text = (worse or _RAISED[alert.kind])[column]
    return text.format_map(_details(alert, zone))


def title(alerts: list[Alert], language: str) -> str:
    """The headline of a message with these alerts."""
    column = _COLUMN[language]
    waiting = sum(alert.cleared_at is None for alert in alerts)
    if not waiting:
        return _TITLES["over"][column]
    return _TITLES["one" if waiting == 1 else "many"][column].format(count=waiting)


def test(language: str) -> tuple[str, str]:
    """The headline and the sentence of a test message."""
    return _TITLES["test"][_COLUMN[language]], TEST[_COLUMN[language]]


def _details(alert: Alert, zone: tzinfo) -> dict[str, object]:
    details: dict[str, object] = json.loads(alert.details)
    if isinstance(since := details.get("since"), int):
        details["since"] = datetime.fromtimestamp(since, zone).strftime("%m-%d %H:%M")
    return details
