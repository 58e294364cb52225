"""local.Command through its whole life: one stack, many resources, each stage looked at by several tests."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.engine.harness import UNKNOWN, Project, Resource, Result, Step, secret

pytestmark = pytest.mark.engine

PASSWORD = "hunter2-in-the-environment"
STDIN_PASSWORD = "hunter3-on-standard-input"
OUTPUT_PASSWORD = "hunter4-in-the-output"


@dataclass
class Story:
    """What each stage showed."""

    notes: Path
    first_preview: dict[str, Step] = field(default_factory=dict)
    ran_in_first_preview: bool = True
    created: Result = field(default_factory=lambda: Result(1, ""))
    created_outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    created_state: str = ""
    second_preview: dict[str, Step] = field(default_factory=dict)
    ran_in_second_preview: bool = True
    updated: Result = field(default_factory=lambda: Result(1, ""))
    updated_outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    no_changes: Result = field(default_factory=lambda: Result(1, ""))
    refreshed: Result = field(default_factory=lambda: Result(1, ""))
    destroyed: Result = field(default_factory=lambda: Result(1, ""))

    def lines(self, name: str) -> list[str]:
        """What the commands wrote under this name."""
        path = self.notes / name
        return path.read_text().splitlines() if path.exists() else []


def program(notes: Path, stage: int) -> list[Resource]:
    """The resources before (1) and after (2) the change."""
    return [
        Resource("plain", {"create": f"echo run >>{notes}/plain; echo out; echo; echo err >&2"}),
        Resource("empty", {"delete": "true"}),
        Resource("in-dir", {"create": "pwd", "dir": str(notes)}),
        Resource("interpreted", {"create": "print(6 * 7)", "interpreter": ["python3", "-c"]}),
        Resource("fed", {"create": "cat", "stdin": "two\nlines\n"}),
        Resource(
            "secretive",
            {
                "create": 'printf %s "$PASSWORD" | sha256sum; printf %s "$OPEN"; cat >/dev/null',
                "environment": {"PASSWORD": secret(PASSWORD), "OPEN": "visible"},
                "stdin": secret(STDIN_PASSWORD),
            },
        ),
        Resource(
            "secret-output",
            {"create": f"printf %s {OUTPUT_PASSWORD[:7]}; printf %s {OUTPUT_PASSWORD[7:]}", "logging": "none"},
            secret_outputs=("stdout",),
        ),
        Resource(
            "with-update",
            {
                "create": "echo created; echo warned >&2",
                "update": 'echo "updated after $PULUMI_COMMAND_STDOUT and $PULUMI_COMMAND_STDERR"',
                "environment": {"STAGE": str(stage)},
            },
        ),
        Resource(
            "without-update",
            {
                "create": 'echo "stage $STAGE after <$PULUMI_COMMAND_STDOUT>"',
                "environment": {"STAGE": str(stage)},
            },
        ),
        Resource(
            "forgetful",
            {
                "create": 'echo "stage $STAGE after <$PULUMI_COMMAND_STDOUT>"',
                "environment": {"STAGE": str(stage)},
                "add_previous_output_in_env": False,
            },
        ),
        Resource(
            "triggered",
            {
                "create": f"echo create $STAGE >>{notes}/triggered; echo $STAGE",
                "update": f"echo update $STAGE >>{notes}/triggered",
                "delete": f"echo delete $STAGE >>{notes}/triggered",
                "environment": {"STAGE": str(stage)},
                "triggers": ["fixed", {"stage": stage}],
            },
        ),
        Resource(
            "delete-changed",
            {"create": f"echo run >>{notes}/delete-changed", "delete": f"echo {stage} >>{notes}/delete-changed"},
        ),
        Resource(
            "deleted",
            {
                "create": "echo printed",
                "delete": f'echo "$WORD $PULUMI_COMMAND_STDOUT" >>{notes}/deleted',
                "environment": {"WORD": f"stage {stage}"},
            },
        ),
        Resource("log-none", {"create": "echo n-out; echo n-err >&2", "logging": "none"}),
        Resource("log-stdout", {"create": "echo o-out; echo o-err >&2", "logging": "stdout"}),
        Resource("log-stderr", {"create": "echo e-out; echo e-err >&2", "logging": "stderr"}),
        Resource("log-both", {"create": "echo b-out; echo b-err >&2", "logging": "stdoutAndStderr"}),
        Resource("log-default", {"create": "echo d-out; echo d-err >&2"}),
    ]


@pytest.fixture(scope="module")
def story(new_project: Callable[[str], Project], notes: Path) -> Story:
    """Preview, create, preview a change, update, look for changes, refresh, destroy."""
    project = new_project("local")
    told = Story(notes)
    told.first_preview = project.preview(*program(notes, 1))
    told.ran_in_first_preview = any(notes.iterdir())
    told.created = project.run("up", "--yes", "--skip-preview").require()
    told.created_outputs = project.outputs()
    told.created_state = project.export()
    before = {path: path.read_text() for path in notes.iterdir()}
    told.second_preview = project.preview(*program(notes, 2))
    told.ran_in_second_preview = before != {path: path.read_text() for path in notes.iterdir()}
    told.updated = project.run("up", "--yes", "--skip-preview").require()
    told.updated_outputs = project.outputs()
    told.no_changes = project.run("preview", "--expect-no-changes")
    told.refreshed = project.run("refresh", "--yes", "--expect-no-changes")
    # The program says something else by now: only what is stored may count.
    project.declare(*program(notes, 3))
    told.destroyed = project.run("destroy", "--yes", "--skip-preview").require()
    return told


def test_preview_of_a_create_runs_nothing(story: Story) -> None:
    assert not story.ran_in_first_preview
    assert story.first_preview["plain"].op == "create"
    assert story.first_preview["plain"].outputs.get("stdout", UNKNOWN) == UNKNOWN


def test_outputs_lose_only_the_last_newline(story: Story) -> None:
    assert story.created_outputs["plain"]["stdout"] == "out\n"
    assert story.created_outputs["plain"]["stderr"] == "err"


def test_without_a_create_command_nothing_runs(story: Story) -> None:
    assert (story.created_outputs["empty"]["stdout"], story.created_outputs["empty"]["stderr"]) == ("", "")


def test_dir(story: Story) -> None:
    assert story.created_outputs["in-dir"]["stdout"] == str(story.notes)


def test_interpreter(story: Story) -> None:
    assert story.created_outputs["interpreted"]["stdout"] == "42"


def test_stdin(story: Story) -> None:
    assert story.created_outputs["fed"]["stdout"] == "two\nlines"


def test_environment(story: Story) -> None:
    digest = hashlib.sha256(PASSWORD.encode()).hexdigest()
    assert story.created_outputs["secretive"]["stdout"] == f"{digest}  -\nvisible"


def test_secrets_are_encrypted_in_the_state(story: Story) -> None:
    assert PASSWORD not in story.created_state
    assert STDIN_PASSWORD not in story.created_state
    assert OUTPUT_PASSWORD not in story.created_state
    assert story.created_outputs["secret-output"]["stdout"] == OUTPUT_PASSWORD
    assert story.created_outputs["secretive"]["environment"] != {"PASSWORD": PASSWORD}


def test_secrets_are_not_printed(story: Story) -> None:
    for result in (story.created, story.updated, story.no_changes, story.refreshed, story.destroyed):
        for password in (PASSWORD, STDIN_PASSWORD, OUTPUT_PASSWORD):
            assert password not in result.output


def test_logging_chooses_the_streams(story: Story) -> None:
    shown = {
        f"{key}-{stream}"
        for key in "noebd"
        for stream in ("out", "err")
        if f" {key}-{stream}\n" in story.created.output
    }
    assert shown == {"o-out", "e-err", "b-out", "b-err", "d-out", "d-err"}


def test_logging_leaves_the_outputs_alone(story: Story) -> None:
    assert story.created_outputs["log-none"]["stdout"] == "n-out"
    assert story.created_outputs["log-none"]["stderr"] == "n-err"


def test_preview_of_a_change_runs_nothing_and_hides_old_outputs(story: Story) -> None:
    assert not story.ran_in_second_preview
    changed = {"with-update", "without-update", "forgetful", "delete-changed", "deleted"}
    assert {name for name, step in story.second_preview.items() if step.op == "update"} == changed
    assert story.second_preview["triggered"].op == "replace"
    for name in changed:
        assert story.second_preview[name].outputs.get("stdout", UNKNOWN) == UNKNOWN


def test_update_command_runs_with_the_previous_output(story: Story) -> None:
    assert story.created_outputs["with-update"]["stdout"] == "created"
    assert story.updated_outputs["with-update"]["stdout"] == "updated after created and warned"
    assert story.updated_outputs["with-update"]["stderr"] == ""


def test_create_command_runs_where_there_is_no_update(story: Story) -> None:
    assert story.created_outputs["without-update"]["stdout"] == "stage 1 after <>"
    assert story.updated_outputs["without-update"]["stdout"] == "stage 2 after <stage 1 after <>>"


def test_previous_output_can_be_left_out(story: Story) -> None:
    assert story.updated_outputs["forgetful"]["stdout"] == "stage 2 after <>"


def test_an_update_keeps_the_id(story: Story) -> None:
    assert story.updated_outputs["with-update"]["id"] == story.created_outputs["with-update"]["id"]
    assert story.updated_outputs["triggered"]["id"] != story.created_outputs["triggered"]["id"]


def test_triggers_replace_new_create_then_old_delete(story: Story) -> None:
    assert story.lines("triggered")[:3] == ["create 1", "create 2", "delete 1"]


def test_a_changed_delete_alone_runs_the_update(story: Story) -> None:
    assert story.lines("delete-changed")[:2] == ["run", "run"]


def test_unchanged_commands_run_once(story: Story) -> None:
    assert story.lines("plain") == ["run"]


def test_a_second_up_and_a_refresh_find_no_changes(story: Story) -> None:
    assert story.no_changes.status == 0, story.no_changes.output
    assert story.refreshed.status == 0, story.refreshed.output


def test_delete_uses_the_stored_inputs_and_outputs(story: Story) -> None:
    assert story.lines("deleted") == ["stage 2 printed"]
    assert story.lines("triggered")[3:] == ["delete 2"]
    assert story.lines("delete-changed")[2:] == ["2"]


@pytest.fixture(scope="module")
def failures(new_project: Callable[[str], Project]) -> str:
    """What a deployment prints whose resources all have to fail. None of them may get into the state."""
    project = new_project("failing")
    resources = [
        Resource("status", {"create": "seq -f 'line %g.' 2000; echo last words >&2; exit 3"}),
        Resource("lost", {"create": "pwd", "dir": "/nowhere/at/all"}),
        Resource(
            "leaking",
            {
                "create": 'echo "the password is $PASSWORD"; cat; echo "again $PASSWORD" >&2; exit 4',
                "environment": {"PASSWORD": secret(PASSWORD)},
                "stdin": secret(f"key:\n  {STDIN_PASSWORD}\nend\n"),
            },
        ),
    ]
    project.declare(*resources)
    result = project.run("up", "--yes", "--skip-preview", "--continue-on-error")
    assert result.status != 0
    assert not {resource.name for resource in resources} & set(project.outputs())
    return result.output


def test_an_error_has_status_and_last_lines(failures: str) -> None:
    assert "exit status 3" in failures
    assert "line 2000." in failures
    assert "last words" in failures


def test_a_missing_dir_fails(failures: str) -> None:
    assert "/nowhere/at/all" in failures


@pytest.mark.usefixtures("own_command")
def test_an_error_leaves_out_the_start_of_a_long_output(failures: str) -> None:
    _, error = failures.rsplit("exit status 3", 1)
    assert "[earlier output left out]" in error
    assert "line 100." not in error


@pytest.mark.usefixtures("own_command")
def test_secret_values_are_masked_in_log_and_error(failures: str) -> None:
    assert PASSWORD not in failures
    assert STDIN_PASSWORD not in failures
    assert "the password is [secret]" in failures
    assert "again [secret]" in failures


def test_failed_update_and_delete_keep_the_old_state(new_project: Callable[[str], Project], notes: Path) -> None:
    project = new_project("failed-update")

    def command(stage: int) -> Resource:
        return Resource(
            "failing",
            {
                "create": "echo good",
                "update": f"test -e {notes}/allowed && echo better",
                "delete": f"test -e {notes}/allowed",
                "environment": {"STAGE": str(stage)},
            },
        )

    project.up(command(1)).require()
    assert project.up(command(2)).status != 0
    assert project.outputs()["failing"]["stdout"] == "good"
    assert project.run("destroy", "--yes", "--skip-preview").status != 0
    assert "failing" in project.outputs()
    (notes / "allowed").touch()
    project.up().require()
    assert project.outputs()["failing"]["stdout"] == "better"
    project.run("destroy", "--yes", "--skip-preview").require()


REFUSED = {
    "assetPaths": Resource("assetPaths", {"create": "true", "asset_paths": ["*"]}),
    "archivePaths": Resource("archivePaths", {"create": "true", "archive_paths": ["*"]}),
    "loud": Resource("logging", {"create": "true", "logging": "loud"}),
    "A=B": Resource("environment", {"create": "true", "environment": {"A=B": "x"}}),
    "command:remote:CopyToRemote": Resource(
        "copy",
        {"connection": {"host": "127.0.0.1"}, "source": {"$asset": "Pulumi.yaml"}, "remote_path": "/x"},
        type="remote.CopyToRemote",
    ),
    "connection.proxy": Resource(
        "proxy",
        {"connection": {"host": "127.0.0.1", "proxy": {"host": "127.0.0.1"}}, "create": "true"},
        type="remote.Command",
    ),
    "command:local:run": Resource("run", {"command": "true"}, type="local.run"),
}


@pytest.fixture(scope="module")
def refusing(new_project: Callable[[str], Project]) -> Project:
    """A project for previews that fail."""
    return new_project("refusing")


@pytest.mark.usefixtures("own_command")
@pytest.mark.parametrize("named", REFUSED)
def test_what_is_not_there_is_refused_by_name(refusing: Project, named: str) -> None:
    refusing.declare(REFUSED[named])
    result = refusing.run("preview")
    assert result.status != 0
    assert re.search(rf"{re.escape(named)}\b.*( is not in Dockstack's| is none of| can't be)", result.output)
