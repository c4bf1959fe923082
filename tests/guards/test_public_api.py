"""What users import is a promise: a name comes or goes only together with this list and a changelog line."""

import importlib

import pytest

PUBLIC = {
    "mutirao": ["__version__"],
    "mutirao_agents": [
        "ChildResult",
        "JobContext",
        "Kind",
        "NotDone",
        "Passage",
        "Workflow",
        "effect",
        "fan_out",
        "fan_out_sync",
        "job_context",
        "mcp_tools",
        "use_context",
        "workflow",
    ],
    "mutirao_workers": [],
    "mutirao.samples": ["DEMO_COLLECTION", "DEMO_TOPIC", "DEMO_WORKFLOW", "sample_documents"],
}


@pytest.mark.parametrize("package", PUBLIC)
def test_public_names_are_pinned(package: str) -> None:
    module = importlib.import_module(package)
    assert sorted(getattr(module, "__all__", [])) == sorted(PUBLIC[package])


@pytest.mark.parametrize("package", PUBLIC)
def test_public_names_exist_and_are_documented(package: str) -> None:
    module = importlib.import_module(package)
    for name in PUBLIC[package]:
        value = getattr(module, name)
        if callable(value):
            assert value.__doc__, f"{package}.{name} has no docstring"
