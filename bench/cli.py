"""`python -m bench`: picks a scenario, runs it, prints what it found, and fails where an event went astray."""

from __future__ import annotations

import argparse
import gc
import json
import signal
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from bench import machine, report
from bench.progress import say
from bench.results import Result
from bench.running import SERVER_TROUBLE
from bench.scenarios import beats, churn, fanout, idle, latency, live, slow, storm, viewers, vitals, ward
from bench.tables import result_as_text

SCENARIOS: dict[str, ModuleType] = {
    scenario.NAME: scenario
    for scenario in (fanout, latency, idle, storm, slow, churn, vitals, viewers, ward, live, beats)
}

_DESCRIPTION = """\
Measures Tocsin against its peers, each server on one core and the load on another.

Every event is counted at every subscriber, and every frame of vital signs at the server and at every
viewer: one that is lost, doubled or out of order makes the run a failed one, with exit status 1.
A missed target is printed, and fails nothing."""


class _Help(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Examples stay as they are written, and defaults are told."""


_MORE_EXAMPLES = """\
  python -m bench all --json results.json
  python -m bench all --quick
  python -m bench all --only vitals,viewers,ward,live,beats --json vitals.json
  python -m bench report results.json --into docs/performance.md
  python -m bench report vitals.json --into docs/performance.md --section vitals"""


def main(arguments: list[str] | None = None) -> int:
    """The command; gives its exit status."""
    options = _parser().parse_args(arguments)
    # A run that is ended from outside ends its servers as Ctrl-C does; a shell's background job ignores Ctrl-C.
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.default_int_handler)
    gc.disable()  # a collection in the load would be measured as latency
    machine.pin_load()
    try:
        status: int = options.act(options)
    except KeyboardInterrupt:
        say("interrupted; the servers have been ended")
        return 130
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=_DESCRIPTION,
        epilog="examples:\n" + "\n".join([*(scenario.EXAMPLES for scenario in SCENARIOS.values()), _MORE_EXAMPLES]),
        formatter_class=_Help,
    )
    parts = parser.add_subparsers(metavar="SCENARIO", required=True)
    for name, scenario in SCENARIOS.items():
        part = parts.add_parser(
            name,
            help=scenario.SUMMARY,
            description=scenario.SUMMARY[0].upper() + scenario.SUMMARY[1:] + ".",
            epilog="examples:\n" + scenario.EXAMPLES,
            formatter_class=_Help,
        )
        scenario.add_options(part)
        _add_json(part)
        part.set_defaults(act=_run_one, scenario=name)
    everything = parts.add_parser("all", help="every scenario in a row, with its default options")
    everything.add_argument("--only", type=_scenarios, default=list(SCENARIOS), help="these alone, comma-separated")
    everything.add_argument("--quick", action="store_true", help="small numbers, to see that everything runs")
    _add_json(everything)
    everything.set_defaults(act=_run_all)
    rendering = parts.add_parser("report", help="results as markdown")
    report.add_options(rendering)
    rendering.set_defaults(act=report.run)
    return parser


def _scenarios(text: str) -> list[str]:
    """`vitals,viewers` as names."""
    names = text.split(",")
    for name in names:
        if name not in SCENARIOS:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(SCENARIOS)}")
    return names


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the results there as well")


def _run_one(options: argparse.Namespace) -> int:
    return _finish([_run(options.scenario, options)], options.json)


def _run_all(options: argparse.Namespace) -> int:
    results = []
    for name in options.only:
        scenario = SCENARIOS[name]
        own_options = _parser().parse_args([name, *(scenario.QUICK if options.quick else [])])
        try:
            results.append(_run(name, own_options))
        except SERVER_TROUBLE as error:
            results.append(Result(name, {}))
            results[-1].failed(name, error)
    return _finish(results, options.json)


def _run(name: str, options: argparse.Namespace) -> Result:
    say(f"{name}: {SCENARIOS[name].SUMMARY}")
    result: Result = SCENARIOS[name].run(options)
    result.options = {key: value for key, value in result.options.items() if key not in {"act", "scenario", "json"}}
    print(f"\n{result_as_text(result)}\n", flush=True)
    return result


def _finish(results: list[Result], path: Path | None) -> int:
    if path is not None:
        document: dict[str, Any] = {"machine": machine.describe(), "results": [one.to_json() for one in results]}
        path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
        say(f"written to {path}")
    failures = sum(len(result.failures) for result in results)
    if failures:
        print(f"FAILED: {failures} failure{'s' if failures > 1 else ''}, named above", file=sys.stderr)
    return 1 if failures else 0
