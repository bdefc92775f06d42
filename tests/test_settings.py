from __future__ import annotations

import os
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from checkout.setting_values import READERS
from checkout.settings import Settings, SettingsError, load, secret_for

SECRET = "0123456789abcdef" * 2


def write(folder: Path, text: str, name: str = "checkout.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_without_file_and_environment_the_documented_defaults_hold(tmp_path: Path) -> None:
    settings = load({}, tmp_path)
    assert settings == Settings(database=str(tmp_path / "data/checkout.db"), folder=tmp_path)
    assert settings.base_url == "http://127.0.0.1:8000"
    assert (settings.order_ttl, settings.grace, settings.rest) == (300, 600, 7200)
    assert (settings.workers, settings.threads, settings.htmx) == (1, 8, "cdn")
    assert not settings.allow_private
    assert settings.data_dir == tmp_path / "data"


def test_loading_writes_nothing(tmp_path: Path) -> None:
    load({}, tmp_path)
    assert not any(tmp_path.iterdir())


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    with pytest.raises(AttributeError):
        load({}, tmp_path).grace = 1  # type: ignore[misc]


def test_every_setting_can_be_read_and_no_other() -> None:
    assert set(READERS) == set(Settings.__struct_fields__) - {"folder", "channels"}


GOOD = [
    ("database", "shop.db", "shop.db", "{cwd}/shop.db"),
    ("database", "/srv/shop.db", "/srv/shop.db", "/srv/shop.db"),
    ("database", "postgresql://u:p@h/d", "postgresql://u:p@h/d", "postgresql://u:p@h/d"),
    ("base_url", "https://pay.example.com", "https://pay.example.com", "https://pay.example.com"),
    ("base_url", "https://example.com/pay/", "https://example.com/pay/", "https://example.com/pay"),
    ("base_url", "http://[::1]:8000", "http://[::1]:8000", "http://[::1]:8000"),
    ("secret", SECRET, SECRET, SECRET),
    ("order_ttl", "60", 60, 60),
    ("grace", "0", 0, 0),
    ("rest", "900", 900, 900),
    ("allow_private", "1", True, True),
    ("allow_private", "off", False, False),
    ("htmx", "local", "local", "local"),
    ("workers", "2", 2, 2),
    ("threads", "16", 16, 16),
    ("trusted_proxies", "10.0.0.0/8, ::1", ["10.0.0.0/8", "::1"], ("10.0.0.0/8", "::1/128")),
    (
        "trusted_hosts",
        "Shop.example.com., .example.org",
        ["Shop.example.com.", ".example.org"],
        ("shop.example.com", ".example.org"),
    ),
    ("callback_ports", "80,443, 8443", [80, 443, 8443], (80, 443, 8443)),
    ("min_free_disk", "0", 0, 0),
    ("device_offline_after", "60", 60, 60),
    ("push_window_s", "300", 300, 300),
    ("metrics_token", "m" * 24, "m" * 24, "m" * 24),
    ("metrics_loopback", "1", True, True),
    ("log_format", "json", "json", "json"),
    ("log_level", "info", "info", "info"),
    ("log_file", "checkout.log", "checkout.log", "{cwd}/checkout.log"),
    ("keep_attempts_days", "30", 30, 30),
    ("backup_folder", "backups", "backups", "{cwd}/backups"),
    ("backup_every", "3600", 3600, 3600),
    ("backup_keep", "7", 7, 7),
    ("language", "en", "en", "en"),
    ("shop_name", "小店", "小店", "小店"),
    ("brand_color", "#047F40", "#047F40", "#047F40"),
    ("brand_logo", "logo.svg", "logo.svg", "{cwd}/logo.svg"),
    ("contact", "shop@example.com", "shop@example.com", "shop@example.com"),
    ("alerts", "ntfy://a/b  json://u:p@h", ["ntfy://a/b", "json://u:p@h"], ("ntfy://a/b", "json://u:p@h")),
    ("alerts_quiet", "23:00-08:00", "23:00-08:00", "23:00-08:00"),
    ("alerts_zone", "Europe/Berlin", "Europe/Berlin", "Europe/Berlin"),
]


@pytest.mark.parametrize(("name", "text", "toml", "expected"), GOOD)
def test_a_setting_means_the_same_in_the_file_and_in_the_environment(
    tmp_path: Path, name: str, text: str, toml: object, expected: object
) -> None:
    if isinstance(expected, str):
        expected = expected.format(cwd=tmp_path)
    assert getattr(load({f"CHECKOUT_{name.upper()}": text}, tmp_path), name) == expected
    literal = {True: "true", False: "false"}[toml] if isinstance(toml, bool) else repr(toml)
    write(tmp_path, f"{name} = {literal}\n")
    assert getattr(load({}, tmp_path), name) == expected


def test_the_good_values_cover_every_setting() -> None:
    assert {row[0] for row in GOOD} == set(READERS)


BAD_TEXTS = [
    ("DATABASE", ":memory:"),
    ("DATABASE", "mysql://u:hunter2@h/d"),
    ("DATABASE", "sqlite:///shop.db"),
    ("BASE_URL", "pay.example.com"),
    ("BASE_URL", "ftp://pay.example.com"),
    ("BASE_URL", "https://"),
    ("BASE_URL", "https://user@pay.example.com"),
    ("BASE_URL", "https://pay.example.com/?a=b"),
    ("BASE_URL", "https://pay.example.com/#top"),
    ("BASE_URL", "https://pay.example.com:99999"),
    ("BASE_URL", "https://pay.example.com:0"),
    ("BASE_URL", "https://pay.example.com\n"),
    ("BASE_URL", "https://pay example.com"),
    ("BASE_URL", "https://pay.example.com/a'b"),
    ("BASE_URL", "https://商店.example"),
    ("SECRET", "short"),
    ("ORDER_TTL", "0"),
    ("ORDER_TTL", "-1"),
    ("ORDER_TTL", "5m"),
    ("ORDER_TTL", "1e3"),
    ("ORDER_TTL", "1_000"),
    ("ORDER_TTL", "３００"),
    ("ORDER_TTL", " 300"),
    ("ORDER_TTL", "300\n"),
    ("ORDER_TTL", "9" * 400),
    ("GRACE", "600.0"),
    ("REST", "x"),
    ("ALLOW_PRIVATE", "maybe"),
    ("HTMX", "CDN"),
    ("WORKERS", "0"),
    ("THREADS", "1000"),
    ("TRUSTED_PROXIES", "10.0.0.1/8"),
    ("TRUSTED_PROXIES", "proxy.local"),
    ("TRUSTED_HOSTS", "https://shop.example.com"),
    ("TRUSTED_HOSTS", "shop.example.com:8000"),
    ("TRUSTED_HOSTS", "*.example.com"),
    ("TRUSTED_HOSTS", "商店.example.com"),
    ("TRUSTED_HOSTS", "shop..example.com"),
    ("TRUSTED_HOSTS", "shop.example.com shop.example.org"),
    ("TRUSTED_HOSTS", "."),
    ("CALLBACK_PORTS", "80;443"),
    ("CALLBACK_PORTS", ","),
    ("CALLBACK_PORTS", "70000"),
    ("MIN_FREE_DISK", "50MB"),
    ("DEVICE_OFFLINE_AFTER", "5"),
    ("PUSH_WINDOW_S", "-300"),
    ("METRICS_TOKEN", "short"),
    ("METRICS_LOOPBACK", "maybe"),
    ("LOG_FORMAT", "xml"),
    ("LOG_LEVEL", "debug"),
    ("LOG_FILE", "\0"),
    ("KEEP_ATTEMPTS_DAYS", "-1"),
    ("BACKUP_FOLDER", "a\0b"),
    ("BACKUP_EVERY", "5"),
    ("BACKUP_KEEP", "0"),
    ("LANGUAGE", "de"),
    ("SHOP_NAME", " "),
    ("SHOP_NAME", "a\nb"),
    ("SHOP_NAME", "x" * 65),
    ("BRAND_COLOR", "green"),
    ("BRAND_LOGO", "logo.exe"),
    ("CONTACT", "x" * 101),
    ("CONTACT", "a\tb"),
    ("ALERTS", "my-topic"),
    ("ALERTS", "ntfy://a, json://b c"),
    ("ALERTS", "ntfy://top\x00ic"),
    ("ALERTS_QUIET", "23-8"),
    ("ALERTS_QUIET", "23:00-24:00"),
    ("ALERTS_ZONE", "Peking"),
    ("ALERTS_ZONE", "../../etc/passwd"),
]


@pytest.mark.parametrize(("name", "text"), BAD_TEXTS)
def test_a_bad_variable_stops_with_one_sentence_that_names_it(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load({f"CHECKOUT_{name}": text}, tmp_path)
    message = str(caught.value)
    assert message.startswith(f"CHECKOUT_{name} must ")
    assert message.endswith(".")
    assert "\n" not in message


def test_the_bad_values_cover_every_setting() -> None:
    assert {row[0].lower() for row in BAD_TEXTS} == set(READERS)


BAD_TOML = [
    'order_ttl = "300"',
    "order_ttl = 300.0",
    "order_ttl = true",
    "order_ttl = 1979-05-27",
    "allow_private = 1",
    'allow_private = "1"',
    "secret = 1",
    "database = 1",
    'database = ""',
    'base_url = ["http://127.0.0.1"]',
    "htmx = 1",
    'trusted_proxies = "127.0.0.1"',
    "trusted_proxies = [1]",
    'trusted_hosts = "shop.example.com"',
    "trusted_hosts = [1]",
    'callback_ports = ["80"]',
    "callback_ports = []",
    "callback_ports = 80",
    "shop_name = 1",
    "brand_logo = 1",
    "contact = 1",
    'alerts = "ntfy://a/b"',
    "alerts = [1]",
    "alerts_quiet = 23",
    "alerts_zone = 8",
    "brand_color = 0x047F40",
]


@pytest.mark.parametrize("line", BAD_TOML)
def test_a_wrong_type_in_the_file_stops_with_the_key_and_the_file(tmp_path: Path, line: str) -> None:
    path = write(tmp_path, line)
    with pytest.raises(SettingsError, match=rf"^{line.split()[0]} in {re.escape(str(path))} must .*\.$"):
        load({}, tmp_path)


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    write(tmp_path, "grace = 700\norder_ttl = 120\n")
    settings = load({"CHECKOUT_GRACE": "800"}, tmp_path)
    assert (settings.grace, settings.order_ttl) == (800, 120)


def test_a_bad_address_of_alerts_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load({"CHECKOUT_ALERTS": "bottoken123456"}, tmp_path)
    assert "bottoken" not in str(caught.value)


def test_an_empty_variable_counts_as_unset(tmp_path: Path) -> None:
    write(tmp_path, "grace = 700\n")
    assert load({"CHECKOUT_GRACE": "", "CHECKOUT_CONFIG": ""}, tmp_path).grace == 700


def test_other_variables_are_left_alone(tmp_path: Path) -> None:
    names = ["PATH", "CHECKOUT", "CHECKOUT_TEST_REQUIRE", "CHECKOUT_BENCH_SECONDS", "CHECKOUT_NPM_REGISTRY"]
    assert load(dict.fromkeys(names, "x"), tmp_path) == load({}, tmp_path)


@pytest.mark.parametrize("variable", ["CHECKOUT_GRACES", "CHECKOUT_", "CHECKOUT_CHANNELS", "CHECKOUT_FOLDER"])
def test_an_unknown_variable_stops_and_is_named(tmp_path: Path, variable: str) -> None:
    with pytest.raises(SettingsError, match=rf"^{variable} is not a setting"):
        load({variable: "1"}, tmp_path)


def test_a_misspelt_name_gets_a_hint(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"did you mean CHECKOUT_ORDER_TTL\?"):
        load({"CHECKOUT_ORDER_TLL": "1"}, tmp_path)
    write(tmp_path, "oder_ttl = 1\n")
    with pytest.raises(SettingsError, match=r"^oder_ttl in .*checkout\.toml is not .*order_ttl\?"):
        load({}, tmp_path)


@pytest.mark.parametrize("name", ["port", "host", "bind", "listen"])
def test_an_address_to_listen_on_is_led_to_the_options_of_serve(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match=r"not a setting; .* checkout serve --host 127\.0\.0\.1 --port 8000\.$"):
        load({f"CHECKOUT_{name.upper()}": "8000"}, tmp_path)
    write(tmp_path, f'{name} = "8000"\n')
    with pytest.raises(SettingsError, match=r"checkout\.toml is not a setting; .* --port 8000\.$"):
        load({}, tmp_path)


def test_a_name_like_no_other_is_led_to_the_list(tmp_path: Path) -> None:
    write(tmp_path, "colour_of_the_sky = 1\n")
    with pytest.raises(SettingsError, match=r"is not a setting; docs/settings\.en\.md lists all of them\.$"):
        load({}, tmp_path)


def test_a_syntax_error_names_the_file_and_the_line(tmp_path: Path) -> None:
    path = write(tmp_path, "grace = 700\norder_ttl = = 1\n")
    with pytest.raises(SettingsError, match=rf"^{re.escape(str(path))}: .*line 2"):
        load({}, tmp_path)


def test_a_file_in_another_encoding_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "checkout.toml").write_bytes("grace = 700\nshop_name = '小店'\n".encode("gbk"))
    with pytest.raises(SettingsError, match=r"checkout\.toml is not UTF-8 \(at line 2\)\.$"):
        load({}, tmp_path)


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "checkout.toml").write_bytes(b"\xef\xbb\xbfgrace = 700\r\nworkers = 2\r\n")
    assert load({}, tmp_path).grace == 700


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"shop\.toml cannot be read: No such file"):
        load({"CHECKOUT_CONFIG": "shop.toml"}, tmp_path)


def test_paths_in_the_file_start_at_its_folder_and_those_in_the_environment_here(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    write(tmp_path / "etc", 'database = "shop.db"\nbrand_logo = "logo.png"\n', "shop.toml")
    settings = load({"CHECKOUT_CONFIG": "etc/shop.toml", "CHECKOUT_BRAND_LOGO": "my.png"}, tmp_path)
    assert settings.folder == tmp_path / "etc"
    assert settings.database == str(tmp_path / "etc/shop.db")
    assert settings.brand_logo == str(tmp_path / "my.png")


def test_rest_follows_a_longer_grace_unless_it_is_set(tmp_path: Path) -> None:
    assert load({"CHECKOUT_GRACE": "9000"}, tmp_path).rest == 9000
    with pytest.raises(SettingsError, match=r"^CHECKOUT_REST must not be below grace, which is 600\.$"):
        load({"CHECKOUT_REST": "599"}, tmp_path)


def test_channels_are_kept_as_they_are_written(tmp_path: Path) -> None:
    write(tmp_path, '[channels.ali]\nkind = "alipay"\nnew_key = [1, 2]\n[channels.wx]\nkind = "wechat"\n')
    channels = load({}, tmp_path).channels
    assert channels["ali"] == {"kind": "alipay", "new_key": [1, 2]}
    assert list(channels) == ["ali", "wx"]
    with pytest.raises(TypeError):
        channels["new"] = {}  # type: ignore[index]


@pytest.mark.parametrize("text", ["channels = 1", "[channels]\nali = 1"])
def test_channels_must_be_tables(tmp_path: Path, text: str) -> None:
    write(tmp_path, text)
    with pytest.raises(SettingsError, match=r"^channels in .* must be tables"):
        load({}, tmp_path)


def test_a_variable_that_a_channel_reads_its_key_from_is_no_mistake(tmp_path: Path) -> None:
    environ = {"CHECKOUT_WX_KEY": "k"}
    with pytest.raises(SettingsError, match="CHECKOUT_WX_KEY"):
        load(environ, tmp_path)
    write(tmp_path, '[channels.wx]\napi_key = "env:CHECKOUT_WX_KEY"\n')
    assert load(environ, tmp_path).channels["wx"]["api_key"] == "env:CHECKOUT_WX_KEY"


def test_neither_messages_nor_repr_show_a_secret(tmp_path: Path) -> None:
    database = "postgresql://u:hunter2@h/d"
    settings = load({"CHECKOUT_SECRET": SECRET, "CHECKOUT_DATABASE": database}, tmp_path)
    assert SECRET not in repr(settings)
    assert "hunter2" not in repr(settings)
    for name in ("SECRET", "DATABASE"):
        with pytest.raises(SettingsError) as caught:
            load({f"CHECKOUT_{name}": "x://u:hunter2\n"}, tmp_path)
        assert "hunter2" not in str(caught.value)


def test_the_kind_of_database_is_known_by_its_address(tmp_path: Path) -> None:
    assert not load({"CHECKOUT_DATABASE": "postgresql.db"}, tmp_path).is_postgres
    settings = load({"CHECKOUT_DATABASE": "postgresql://h/d"}, tmp_path)
    assert settings.is_postgres
    assert settings.data_dir == tmp_path / "data"


def test_a_secret_that_is_set_is_used_and_nothing_is_written(tmp_path: Path) -> None:
    assert secret_for(load({"CHECKOUT_SECRET": SECRET}, tmp_path)) == SECRET
    assert not any(tmp_path.iterdir())


def test_the_secret_is_made_once_for_the_owner_only(tmp_path: Path) -> None:
    settings = load({}, tmp_path)
    secret = secret_for(settings)
    assert re.fullmatch("[0-9a-f]{64}", secret)
    assert secret_for(settings) == secret
    assert [path.name for path in settings.data_dir.iterdir()] == ["secret"]
    assert stat.S_IMODE((settings.data_dir / "secret").stat().st_mode) == 0o600


def test_the_secret_is_private_under_any_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        secret_for(load({}, tmp_path))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "data/secret").stat().st_mode) == 0o600


def test_all_who_start_at_once_get_the_same_secret(tmp_path: Path) -> None:
    settings = load({}, tmp_path)
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: secret_for(settings), range(64)))
    assert len(made) == 1
    assert [path.name for path in settings.data_dir.iterdir()] == ["secret"]


@pytest.mark.parametrize("content", [b"", b"abc\n", b"\xff" * 64])
def test_a_damaged_secret_stops_with_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/secret").write_bytes(content)
    with pytest.raises(SettingsError, match="secret"):
        secret_for(load({}, tmp_path))


def test_a_folder_that_cannot_be_written_stops_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(SettingsError, match="cannot be used"):
        secret_for(load({}, tmp_path))


def test_postgresql_needs_a_secret_that_all_its_machines_share(tmp_path: Path) -> None:
    settings = load({"CHECKOUT_DATABASE": "postgresql://h/d"}, tmp_path)
    with pytest.raises(SettingsError, match=r"^CHECKOUT_SECRET must be set"):
        secret_for(settings)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("# " + "x" * 65_536, "longer than 64 KiB"),
        ("a = " + "[" * 60_000, "nested too deeply"),
        (".".join("a" * 30_000) + " = 1", "more than 32 parts"),
        ("order_ttl = " + "9" * 5000, "a number is too long"),
    ],
)
def test_a_file_that_is_no_settings_file_is_refused_with_a_sentence(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "checkout.toml").write_text(content)
    with pytest.raises(SettingsError, match=said):
        load({}, tmp_path)
