"""Fault points: nothing unless armed; armed ones do what they say, when they say it."""

import asyncio
import os
import signal
import subprocess
import sys
import time

import pytest
from mutirao import faults
from mutirao.errors import SettingsInvalid
from mutirao.faults import EXIT_CODE, NAMES, Armed, Fault, InjectedFault, around, fault, parse


def test_an_unarmed_point_does_nothing() -> None:
    assert faults._armed is None
    for name in NAMES:
        fault(name)


def test_a_value_is_read_in_all_its_forms() -> None:
    assert parse("claim.after:kill:3, events.before:raise:0.25,finish.after:sleep=1.5,effect.between:exit") == [
        Fault(name="claim.after", action="kill", nth=3),
        Fault(name="events.before", action="raise", chance=0.25),
        Fault(name="finish.after", action="sleep", seconds=1.5),
        Fault(name="effect.between", action="exit"),
    ]
    assert parse("") == []


@pytest.mark.parametrize(
    "text",
    [
        "nowhere:kill",
        "claim.after",
        "claim.after:explode",
        "claim.after:sleep",
        "claim.after:sleep=x",
        "claim.after:kill=3",
        "claim.after:kill:x",
        "claim.after:kill:-1",
        "claim.after:raise:1.5",
        "claim.after:sleep=-1",
    ],
)
def test_a_wrong_value_is_refused_by_what_is_wrong(text: str) -> None:
    with pytest.raises(SettingsInvalid, match=text.partition(":")[0]):
        parse(text)


def test_the_nth_hit_is_the_one_and_the_only_one() -> None:
    armed = Armed(parse("claim.after:raise:3"))
    armed.hit("claim.after")
    armed.hit("claim.before")
    armed.hit("claim.after")
    with pytest.raises(InjectedFault, match=r"claim\.after"):
        armed.hit("claim.after")
    armed.hit("claim.after")


def test_hits_are_counted_over_forked_processes() -> None:
    armed = Armed(parse("claim.after:exit:2"))
    codes = []
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            armed.hit("claim.after")
            os._exit(0)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    assert codes == [0, EXIT_CODE, 0]


def test_a_chance_is_between_never_and_always() -> None:
    Armed(parse("claim.after:raise:0.0")).hit("claim.after")
    with pytest.raises(InjectedFault):
        Armed(parse("claim.after:raise:1.0")).hit("claim.after")
    often = Armed(parse("claim.after:raise:0.5"))
    seen = set()
    for _ in range(200):
        try:
            often.hit("claim.after")
            seen.add("passed")
        except InjectedFault:
            seen.add("raised")
    assert seen == {"passed", "raised"}


def test_sleep_stops_the_caller() -> None:
    began = time.monotonic()
    Armed(parse("claim.after:sleep=0.05")).hit("claim.after")
    assert time.monotonic() - began >= 0.05


def test_around_passes_arguments_and_result(monkeypatch: pytest.MonkeyPatch) -> None:
    async def double(number: int, *, more: int) -> int:
        return 2 * number + more

    assert asyncio.run(around("checkpoint", double, 4, more=1)) == 9
    monkeypatch.setattr(faults, "_armed", Armed(parse("checkpoint.after:raise")))
    with pytest.raises(InjectedFault, match=r"checkpoint\.after"):
        asyncio.run(around("checkpoint", double, 4, more=1))


@pytest.mark.parametrize(("action", "code"), [("kill", -signal.SIGKILL), ("exit", EXIT_CODE), ("raise", 1)])
def test_a_process_is_armed_by_its_environment(action: str, code: int) -> None:
    program = "from mutirao.faults import fault; fault('claim.before'); fault('claim.after'); print('alive')"
    env = os.environ | {"MUTIRAO_FAULTS": f"claim.after:{action}"}
    ended = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (code, "")
    assert ended.stderr.startswith(f"fault.hit name=claim.after action={action} pid=")
