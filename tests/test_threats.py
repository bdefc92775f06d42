"""Which tests show the answer to which threat. Whoever renames one is told here; a threat without a test is a gap."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.world import MERCHANT_KEY, World, md5

ROOT = Path(__file__).resolve().parent.parent

THREATS: dict[str, tuple[str, ...]] = {
    "a push that is replayed, doubled, too old, another phone's or meant for another door": (
        "monitors/test_vmq_app.py::test_five_repeats_with_the_same_time_change_nothing",
        "monitors/test_vmq_app.py::test_a_repeat_with_a_new_time_pays_no_second_order",
        "monitors/test_vmq_app.py::test_with_a_window_older_messages_are_refused",
        "protocols/test_signature_matrix.py::test_a_push_signed_by_one_phone_is_not_anothers",
        "protocols/test_signature_matrix.py::test_no_door_opens_to_anothers_signature",
        "test_payments_repeats.py::test_phones_that_took_turns_in_telling_first_do_not_pay_with_what_one_tells_late",
        "soak/test_arrivals.py::test_whatever_buyers_and_phones_and_shops_do_the_promises_hold",
    ),
    "a signed order that is cut into another one": (
        "protocols/test_legacy_modes.py::test_with_guard_param_no_signed_order_can_be_cut_into_a_cheaper_one",
        "protocols/test_legacy_modes.py::test_in_strict_mode_no_browser_may_carry_a_signed_create_link",
        "protocols/test_epay_recut.py::test_the_values_that_count_can_be_read_in_one_way_only",
    ),
    "a signed return that is cut into another product's": (
        "test_scripts.py::test_no_return_can_be_cut_into_one_of_another_product",
        "test_returns.py::test_what_a_buyer_wrote_cannot_become_a_parameter_of_its_own",
        "test_scripts.py::test_a_return_ends_after_a_quarter_of_an_hour",
    ),
    "amounts in other spellings": (
        "test_money.py::test_what_is_not_a_plain_price_is_refused",
        "test_money.py::test_any_text_is_a_positive_amount_or_a_refusal",
        "test_layers.py::test_nothing_becomes_a_float",
    ),
    "addresses that lead inside, also after a change of the name": (
        "http/test_targets.py::test_an_address_with_a_special_meaning_is_not_public",
        "http/test_names.py::test_a_connection_goes_to_the_address_that_was_judged_and_to_no_later_one",
        "outbox/test_webhook_attacks.py::test_a_name_that_leads_inside_at_the_time_of_the_try_is_not_called",
        "journeys/test_gateway_faults.py::test_a_gateway_whose_name_moves_to_a_private_address_is_not_asked",
        "http/test_client.py::test_a_redirect_is_an_answer_and_is_not_followed",
    ),
    "shops that hang, drip, fail, hang up or send elsewhere": (
        "http/test_deadline.py::test_a_server_that_drips_its_body_costs_no_more_than_the_deadline",
        "http/test_deadline.py::test_a_server_that_sips_the_request_costs_no_more_than_the_deadline",
        "test_worker.py::test_a_merchant_that_hangs_delays_nobody_else",
        "test_worker.py::test_a_host_gets_two_messages_at_a_time_and_all_of_them_in_the_end",
        "outbox/test_webhook_attacks.py::test_an_answer_that_drips_for_ever_ends_at_the_deadline",
        "outbox/test_deliveries.py::test_an_outage_of_71_hours_is_survived_however_the_dice_fall",
        "outbox/test_outages.py::test_an_outage_is_survived_with_twenty_restarts_in_the_middle_of_tries",
    ),
    "gateways that do": (
        "journeys/test_gateway_faults.py::test_the_page_is_answered_and_the_order_still_waits",
        "journeys/test_gateway_faults.py::test_a_question_ends_and_is_asked_again_later",
        "journeys/test_gateway_faults.py::test_phones_and_shops_and_other_buyers_do_not_wait_for_a_gateway_that_hangs",
        "journeys/test_gateway_faults.py::test_a_gateway_that_sends_elsewhere_is_not_followed",
    ),
    "open redirects, javascript: and line breaks in addresses": (
        "browser/test_embed.py::test_a_return_to_what_is_no_page_is_never_followed",
        "admin/test_sign_in.py::test_signing_in_leads_back_to_the_page_that_was_wanted_and_never_elsewhere",
        "test_selling.py::test_buyers_are_sent_only_to_the_products_own_sites",
        "test_web.py::test_addresses_are_judged_by_what_they_are_for",
        "http/test_targets.py::test_what_is_not_a_plain_http_url_is_refused",
        "http/test_client.py::test_a_request_that_would_be_read_as_another_is_not_sent",
    ),
    "scripts in titles, params, nicknames, notifications and answers": (
        "browser/test_hostile.py::test_hostile_texts_run_nowhere",
    ),
    "formulas in exports": (
        "cli/test_upkeep.py::test_a_cell_that_could_be_a_formula_is_guarded",
        "admin/test_orders.py::test_the_spreadsheet_has_what_was_found_and_no_formula",
    ),
    "clickjacking": (
        "pages/test_buy.py::test_only_listed_sites_may_frame",
        "admin/test_guard.py::test_pages_are_never_stored_framed_or_mixed_with_others",
    ),
    "requests that other sites make a browser send": (
        "admin/test_guard.py::test_every_form_needs_the_token_of_its_session",
        "admin/test_guard.py::test_what_another_site_makes_the_browser_send_is_refused",
        "pages/test_aid.py::test_nothing_of_this_is_done_by_a_get_or_to_an_unknown_order",
    ),
    "sessions that were planted or stolen": (
        "admin/test_sign_in.py::test_the_cookie_is_new_at_each_sign_in_and_not_in_the_database",
        "admin/test_sign_in.py::test_behind_https_the_cookies_are_bound_to_the_host",
        "admin/test_sign_in.py::test_a_new_password_ends_the_sessions_of_all_others",
        "admin/test_sign_in.py::test_the_first_link_sets_the_password_once",
        "admin/test_step_up.py::test_what_a_thief_would_change_needs_the_password",
        "admin/test_orders.py::test_ten_wrong_passwords_stop_a_stolen_session_from_guessing",
    ),
    "guessing a password or a key": (
        "admin/test_sign_in.py::test_after_ten_wrong_passwords_the_right_one_has_to_wait_too",
        "admin/test_sign_in.py::test_guesses_are_counted_before_they_are_checked",
        "protocols/api/test_keys.py::test_a_stranger_who_tries_keys_is_slowed_down",
        "protocols/test_signature_matrix.py::test_every_signature_is_compared_in_constant_time",
    ),
    "reading or changing what belongs to another merchant": (
        "protocols/api/test_keys.py::test_another_merchant_neither_sees_nor_changes_anything",
        "protocols/api/test_keys.py::test_another_merchants_order_cannot_be_paid_with_money_of_ones_own",
        "protocols/api/test_keys.py::test_the_same_idempotency_key_of_two_merchants_is_two_keys",
        "protocols/test_vmq.py::test_merchants_do_not_see_each_others_orders",
        "protocols/test_gogo.py::test_a_merchant_cannot_close_anothers_order",
        "protocols/test_bufpay.py::test_merchants_do_not_see_each_others_orders",
        "protocols/test_epay.py::test_merchants_do_not_see_each_others_orders_keys_or_callbacks",
        "protocols/test_epay_v2.py::test_merchants_do_not_see_each_others_orders_keys_or_callbacks",
        "protocols/test_epay_refunds.py::test_another_merchant_cannot_refund",
    ),
    "bombs: pictures, XML, long and endless bodies": (
        "test_qr.py::test_a_picture_that_would_unfold_to_too_much_is_refused_before_it_is_unpacked",
        "test_xml.py::test_a_doctype_is_refused_before_anything_is_read",
        "test_xml.py::test_a_deep_message_is_refused",
        "test_xml.py::test_a_long_message_is_refused_unread",
        "http/test_client.py::test_of_a_hundred_megabytes_only_the_first_64_kib_are_taken",
        "soak/test_memory.py::test_the_worst_that_may_be_sent_takes_little_memory",
    ),
    "slow clients, and many": (
        "soak/test_slow.py::test_the_bare_server_answers_among_slow_clients",
        "soak/test_slow.py::test_the_server_behind_the_documented_proxy_answers_too",
        "server/test_buffering.py::test_idle_and_slow_clients_hold_up_nobody",
        "server/test_buffering.py::test_what_is_whole_is_refused_at_its_head_or_read_to_its_end",
        "server/test_buffering.py::test_clients_that_ask_and_take_nothing_hold_up_nobody",
        "server/test_buffering.py::test_a_bought_file_that_is_taken_slowly_holds_up_nobody_and_comes_whole",
    ),
    "requests that two servers cut differently": (
        "soak/test_smuggling.py::test_a_request_that_can_be_cut_in_two_ways_hides_no_second_one",
        "server/test_buffering.py::test_a_request_is_whole_when_its_head_and_its_body_are_here",
    ),
    "forged hosts and forwarded headers": (
        "test_front.py::test_without_configured_proxies_nobody_is_believed",
        "test_front.py::test_after_garbage_the_last_address_that_is_known_for_sure_counts",
        "test_hosts.py::test_a_request_by_another_name_is_told_where_names_are_listed",
        "test_hosts.py::test_a_host_that_is_none_is_refused_at_every_door",
        "test_hosts.py::test_the_target_of_a_request_counts_more_than_its_host",
        "test_hosts.py::test_the_server_itself_keeps_to_it",
        "test_metrics.py::test_a_page_whose_name_was_led_to_this_machine_reads_nothing",
        "test_threats.py::test_the_host_of_a_request_reaches_no_link",
        "test_threats.py::test_the_host_of_a_request_reaches_no_address_that_a_shop_is_given",
        "test_metrics.py::test_a_public_server_does_not_take_a_silent_proxy_for_a_program_of_this_machine",
    ),
    "secrets in logs, errors, pages and backups": (
        "test_log_canaries.py::test_no_secret_is_written_at_any_door",
        "server/test_serve.py::test_neither_keys_nor_signatures_nor_amounts_reach_the_log",
        "journeys/test_official_secrets.py::test_no_secret_gets_out",
        "outbox/test_webhook_attacks.py::test_no_secret_reaches_a_log_a_list_or_an_attempt",
        "cli/test_upkeep.py::test_a_backup_is_a_whole_database_for_its_owner_only",
    ),
    "lines that strangers write into the log": (
        "test_logs.py::test_what_a_stranger_wrote_cannot_pass_for_a_line_of_the_log",
    ),
    "what strangers write on the owner's terminal": (
        "cli/test_deliveries.py::test_what_a_shop_answered_cannot_steer_the_terminal",
        "cli/test_deliveries.py::test_what_a_buyer_or_shop_wrote_turns_no_line_around",
        "protocols/test_bad_input.py::test_a_parameter_that_is_wrong_in_any_way_is_refused",
    ),
    "goods without money, and addresses that are guessed or passed on": (
        "pages/test_receipt.py::test_before_the_payment_there_is_no_receipt",
        "pages/test_receipt.py::test_an_unknown_receipt_is_a_plain_page",
        "pages/test_receipt.py::test_a_file_is_behind_a_link_that_ends",
        "test_selling.py::test_a_grant_is_for_one_thing_and_ends",
        "test_selling.py::test_a_buyer_names_the_price_only_within_the_bounds_and_only_where_asked",
        "test_selling.py::test_the_last_piece_goes_to_one_of_two_buyers_at_once",
        "test_selling.py::test_numbers_cannot_be_guessed_from_the_form_alone",
    ),
    "one stranger who takes all amounts, the stock or the server": (
        "test_selling.py::test_one_address_holds_few_amounts_until_they_are_free",
        "test_selling.py::test_buyers_never_hold_the_whole_pool_of_amounts",
        "test_selling.py::test_one_buyer_gets_no_more_than_the_limit",
        "pages/test_gate.py::test_whoever_asks_without_end_is_told_when_to_come_back",
        "pages/test_gate.py::test_an_address_that_the_buyer_has_made_up_does_not_help",
        "test_rates.py::test_an_address_is_the_same_buyer_s_on_a_socket_for_both_kinds",
        "test_deploy.py::test_behind_nginx_a_download_that_is_taken_slowly_fills_no_disk",
    ),
    "a request of the API that is sent twice, or another one under its key": (
        "protocols/api/test_idempotency.py::test_the_same_request_gets_the_same_answer_whatever_happened_meanwhile",
        "protocols/api/test_idempotency.py::test_another_request_under_the_same_key_is_refused",
        "test_idempotency.py::test_of_processes_that_ask_at_once_one_does_it_and_all_get_its_answer",
    ),
    "nonsense at every door": (
        "soak/test_fuzz.py::test_every_request_gets_an_answer_and_none_is_a_failure_of_ours",
        "protocols/test_bad_input.py::test_a_parameter_that_is_wrong_in_any_way_is_refused",
        "protocols/test_bad_input_fuzz.py::test_a_mutated_request_is_refused_or_still_the_same",
        "protocols/test_mutated_forms.py::test_a_mutated_request_fails_nothing_and_opens_nothing_that_was_not_signed",
        "protocols/api/test_openapi.py::test_the_program_keeps_what_the_document_promises",
        "test_settings_fuzz.py::*",
        "test_xml.py::test_whatever_comes_is_read_or_refused",
    ),
    "a server or worker that dies, and a power cut": (
        "soak/test_crash.py::test_what_was_acknowledged_survives_the_death_of_the_server",
        "soak/test_powercut.py::test_no_power_cut_loses_what_was_acknowledged",
        "soak/test_powercut.py::test_the_same_cuts_find_what_a_laxer_setting_loses",
        "store/test_sqlite.py::test_every_connection_is_set_up_for_safety",
        "outbox/test_deliveries.py::test_the_message_of_a_dead_worker_comes_back_by_itself",
    ),
    "a full, read-only, locked or damaged disk, and a clock that jumps": (
        "soak/test_troubles.py::test_on_a_full_disk_nothing_is_acknowledged_and_afterwards_all_goes_on",
        "soak/test_troubles.py::test_where_files_grow_no_more_nothing_is_acknowledged_and_afterwards_all_goes_on",
        "soak/test_troubles.py::test_on_a_read_only_disk_the_server_says_why_it_does_not_start",
        "soak/test_troubles.py::test_where_it_may_not_write_the_server_says_why_it_does_not_start",
        "soak/test_troubles.py::test_beside_a_process_that_locks_the_database_the_phone_hears_no_success",
        "server/test_serve.py::test_a_damaged_database_stops_the_start_and_names_the_way_back",
        "test_orders.py::test_a_clock_that_is_put_back_revives_no_order_whose_amount_stands_for_another",
    ),
    "a backup that is none": (
        "soak/test_backups.py::test_a_restored_copy_holds_all_that_was_acknowledged_before_it_and_keeps_the_promises",
        "cli/test_upkeep.py::test_only_a_sound_backup_of_ours_is_restored",
    ),
    "an upgrade or a change of settings that loses requests": (
        "test_reload.py::test_new_settings_take_over_without_a_request_being_cut_or_refused",
        "test_reload.py::test_settings_that_cannot_be_used_change_nothing_and_are_named",
        "server/test_serve.py::test_a_request_under_way_is_answered_before_the_server_ends",
        "test_reload.py::test_no_line_is_lost_when_the_log_is_moved_away_under_load",
    ),
    "packages and releases that were tampered with": (
        "test_wheel.py::test_two_builds_in_different_folders_are_the_same_to_the_byte",
        "test_hatch_build.py::test_anything_but_the_pinned_file_is_refused_and_not_written",
        "pages/test_assets.py::test_the_hash_that_pages_name_is_the_packages",
        "test_sbom.py::test_the_bill_of_materials_holds_every_locked_package_with_its_hashes",
        "test_deploy.py::test_the_unit_is_valid_and_exposes_little",
    ),
    "any order of all of this": (
        "model/test_seeded_bugs.py::test_a_seeded_bug_is_found",
        "store/test_invariants.py::*",
    ),
}


@pytest.mark.parametrize("threat", THREATS)
def test_each_threat_has_tests_and_they_exist(threat: str) -> None:
    assert THREATS[threat]
    for test in THREATS[threat]:
        file, _, name = test.partition("::")
        text = (ROOT / "tests" / file).read_text(encoding="utf-8")
        assert re.search(rf"(?m)^def {'test_' if name == '*' else re.escape(name) + '[(]'}", text), f"{test} is gone"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_of_promises_leads_to_files_that_exist(language: str) -> None:
    text = (ROOT / "docs" / f"trust.{language}.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/*.]+)`", text)
    assert len(named) > 10
    assert [name for name in named if not list(ROOT.glob(name))] == []


def test_the_host_of_a_request_reaches_no_link(world: World) -> None:
    evil = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    token = world.create("N1", "9.90")["data"]["orderId"]
    for path in ("/", f"/pay/{token}", f"/pay/{token}/", "/admin", "/nowhere", "/healthz", "/createOrder"):
        answer = world.client.get(path, headers=evil)
        assert answer.status_code < 500
        assert "evil.example" not in answer.text + str(answer.headers)


def test_the_host_of_a_request_reaches_no_address_that_a_shop_is_given(world: World) -> None:
    evil = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "App-Secret": MERCHANT_KEY}
    page = {"payId": "N1", "type": "1", "price": "9.90", "sign": md5("N1", "1", "9.90", MERCHANT_KEY), "isHtml": "1"}
    epay = {"money": "9.90", "name": "x", "notify_url": "https://shop.example/n", "out_trade_no": "N2", "pid": "1001"}
    epay["type"] = "wxpay"
    text = "&".join(f"{name}={value}" for name, value in sorted(epay.items()))
    base = world.parts.settings.base_url
    for path, values in (("/createOrder", page), ("/mapi.php", {**epay, "sign": md5(text, MERCHANT_KEY)})):
        said = world.client.post(path, data=values, headers=evil).text.replace("\\/", "/")
        assert f"{base}/pay/" in said
        assert "evil.example" not in said
