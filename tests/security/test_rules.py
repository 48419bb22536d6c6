"""What broke in other engines, and the tests here that fail when it breaks in this one.

The table is the map of this directory. A rule whose test was renamed or lost fails by itself.
"""

from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).parents[1]

#: What broke and the rule that follows from it -> the tests, as FILE::NAME below tests/.
RULES = {
    "CVE-2019-5736: the runtime's own file cannot be written from inside": (
        "security/test_descriptors.py::test_the_shim_cannot_be_changed_from_inside",
        "native/test_launch_root.py::test_the_binary_of_the_shim_is_out_of_reach",
    ),
    "CVE-2024-21626: no descriptor of the host is a working directory or a command": (
        "security/test_descriptors.py::test_a_working_directory_by_a_descriptor_is_not_made_on_the_host",
        "security/test_descriptors.py::test_a_command_by_a_descriptor_is_not_found",
        "security/test_descriptors.py::test_exec_by_a_descriptor_finds_nothing",
        "security/test_descriptors.py::test_only_the_streams_are_open",
        "native/test_launch_exec.py::test_no_descriptor_of_the_host_can_become_the_working_directory",
    ),
    "CVE-2025-31133: masks are the host's null device, mounted by descriptor": (
        "security/test_mountpoints.py::test_what_an_image_has_in_dev_is_hidden",
        "security/test_mountpoints.py::test_masks_are_not_led_elsewhere_by_a_mount_over_their_parent",
        "native/test_launch_root.py::test_the_null_device_that_masks_cannot_be_changed",
    ),
    "CVE-2025-52565: the console is mounted from the terminal's descriptor": (
        "security/test_mountpoints.py::test_a_linked_dev_takes_the_devices_inside",
        "native/test_launch_process.py::test_a_terminal_is_standard_input_output_and_console",
    ),
    "CVE-2025-52881: settings are written by a procfs of our own": (
        "security/test_mountpoints.py::test_procfs_and_sysfs_are_not_mounted_behind_a_link",
        "security/test_images.py::test_nothing_is_mounted_inside_proc",
        "security/test_builds.py::test_nothing_is_mounted_inside_proc",
        "native/test_launch_root.py::test_a_sysctl_cannot_leave_the_sysctls",
    ),
    "CVE-2021-30465, CVE-2018-15664: links that are swapped between look and use lead nowhere": (
        "security/test_mountpoints.py::test_a_link_that_is_swapped_while_containers_start_leads_nowhere",
        "security/test_layers.py::test_a_container_that_exchanges_what_is_being_read",
    ),
    "CVE-2026-41579, CVE-2026-55686: mountpoints and working directories stay in the root": (
        "security/test_mountpoints.py::test_a_linked_dev_takes_the_devices_inside",
        "security/test_mountpoints.py::test_links_below_a_mount_and_a_working_directory_stay_inside",
    ),
    "CVE-2019-14271, CVE-2022-1227: nothing of a container is loaded or run with the host's rights": (
        "security/test_descriptors.py::test_the_shim_loads_no_libraries",
        "security/test_confinement.py::test_top_runs_no_program_of_the_container",
    ),
    "CVE-2024-9676, CVE-2026-30892: users come from small regular files and are well formed": (
        "security/test_users.py::test_a_hostile_passwd_neither_hangs_nor_leads_out",
        "security/test_users.py::test_what_is_no_user_does_not_start",
    ),
    "CVE-2022-23648: what is copied into a volume comes from the image": (
        "security/test_images.py::test_copy_up_takes_nothing_of_the_host",
    ),
    "CVE-2022-0492, CVE-2023-25809: control groups are read-only and not administered from inside": (
        "security/test_confinement.py::test_cgroups_are_read_only_and_have_no_release_agent",
        "security/test_confinement.py::test_new_namespaces_and_mounts_are_refused_to_root",
    ),
    "CVE-2022-24769, CVE-2022-27650: inheritable capabilities are empty, of exec too": (
        "security/test_confinement.py::test_capabilities_of_run_and_exec",
        "native/test_launch_exec.py::test_privileged_gives_all_capabilities_but_none_that_is_inheritable",
    ),
    "CVE-2024-23651 to 23653, CVE-2024-11218, CVE-2021-3602: mounts of a build step stay inside, its environment is clean": (
        "engine/build/test_running.py::test_a_bind_source_leads_nowhere_outside",
        "engine/build/test_running.py::test_isolation",
        "security/test_builds.py::test_a_path_in_an_image_that_looks_like_a_layer_of_the_host_is_none",
        "security/test_confinement.py::test_no_word_of_the_callers_environment_comes_in",
    ),
    "CVE-2020-15157, CVE-2024-3727: credentials stay with their host, digests are matched before they are a path": (
        "security/test_registries.py::test_a_password_goes_to_no_realm_that_only_looks_like_this_machine",
        "engine/store/test_content.py::test_no_other_name_becomes_a_path",
        "engine/oci/test_oci_documents.py::test_only_whole_lower_case_digests_become_file_names",
    ),
    "CVE-2020-10696, CVE-2025-47290, CVE-2022-31030: archives and output are held in bounds": (
        "security/test_hostile_tars.py::test_a_hostile_tar_comes_to_nothing_bad",
        "security/test_hostile_tars.py::test_a_bomb_is_refused_by_the_space_that_is_left",
        "security/test_images.py::test_links_of_a_layer_lead_nowhere",
        "native/test_monitor_attach.py::test_a_client_that_is_slow_is_dropped_with_lost_and_the_container_goes_on",
    ),
    "what others wrote does nothing to a terminal": (
        "security/test_layers.py::test_names_do_nothing_to_a_terminal",
        "security/test_layers.py::test_a_build_does_nothing_to_a_terminal",
        "security/test_layers.py::test_what_a_container_named_does_nothing_to_a_terminal",
        "security/test_images.py::test_log_lines_cannot_be_forged",
    ),
    "CVE-2024-24557, CVE-2021-41091: the cache knows content, the data root is closed, odd sockets and ports too": (
        "security/test_builds.py::test_other_content_is_never_kept_under_the_key_of_what_was_there_before",
        "security/test_confinement.py::test_the_files_of_the_engine_are_only_roots",
        "security/test_confinement.py::test_sockets_reach_neither_the_kernels_ciphers_nor_the_hypervisor",
        "native/test_monitor_relay.py::test_a_published_address_binds_only_that_address",
    ),
}  # fmt: skip


def test_every_rule_has_its_tests() -> None:
    known = {
        file: {node.name for node in ast.parse((TESTS / file).read_bytes()).body if isinstance(node, ast.FunctionDef)}
        for file in {name.partition("::")[0] for tests in RULES.values() for name in tests}
    }
    lost = [name for tests in RULES.values() for name in tests if name.split("::")[1] not in known[name.split("::")[0]]]
    assert not lost
