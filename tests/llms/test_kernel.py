"""A real notebook kernel: the stop button ends an evaluation, and what is finished stays."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel

from tests.llms.conftest import ROOT, FaultServer, reply

SETUP = """
import rememberer_nb as rnb
config = rnb.LLMConfig(model="m", reply_format="text")
settings = rnb.Settings(llm="openai", llm_config=config, rollout=rnb.RolloutConfig(max_steps=3))
env = rnb.build_env(settings)
llm = rnb.build_llm(env, settings)
agent = rnb.build_agent("llm_only", env, settings, llm=llm)
slots = rnb.Slots(8, lambda: rnb.build_env(settings))
kept = []
"""
CONDUCT = "rnb.Conduct(slots=slots, on_episode=kept.append)"
RUN = f"rnb.evaluate(env, agent, range(100, 200), conduct={CONDUCT})"


class Kernel:
    def __init__(self) -> None:
        self.manager, self.client = start_new_kernel(kernel_name="python3")

    def start(self, code: str) -> str:
        return self.client.execute(code, stop_on_error=False)

    def reply(self, message: str, timeout: float = 30.0) -> dict[str, Any]:
        while True:
            found = self.client.get_shell_msg(timeout=timeout)
            if found["parent_header"].get("msg_id") == message:
                return found["content"]

    def value(self, expression: str) -> str:
        message = self.client.execute("", user_expressions={"value": expression})
        return self.reply(message)["user_expressions"]["value"]["data"]["text/plain"]


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    made = Kernel()
    yield made
    made.client.stop_channels()
    made.manager.shutdown_kernel(now=True)


@pytest.mark.slow
def test_the_stop_button(server: FaultServer, kernel: Kernel) -> None:
    ready = kernel.reply(kernel.start(SETUP))
    assert ready["status"] == "ok", ready
    quick, late = reply("click[search] -> 0.1 hm"), {**reply("click[search]"), "delay_s": 60.0}
    server.play(*[quick] * 40, late)
    message = kernel.start(RUN)
    while len(server.log) < 48:
        with pytest.raises(queue.Empty):
            kernel.reply(message, timeout=0.05)
    pressed = time.monotonic()
    kernel.manager.interrupt_kernel()
    content = kernel.reply(message, timeout=10.0)
    assert time.monotonic() - pressed < 3.0
    assert content["ename"] == "KeyboardInterrupt"
    # 40 calls, 3 to an episode; at most two calls of each slot were for an unfinished one.
    assert 8 <= int(kernel.value("len(kept)")) <= 13
    # The same LLM can be asked again.
    server.play(quick)
    assert (
        kernel.value("len(rnb.evaluate(env, agent, [100, 101], conduct=rnb.Conduct(slots=slots)))")
        == "2"
    )
