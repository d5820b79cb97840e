"""All side-by-side timings of multi-objective reinforcement learning, one after the other.

``python -m benchmarks.morl`` (with the peers' interpreter, see `make peers`): environments alone, MuJoCo's lanes,
PPO's update, training end to end, soft actor-critic and EUPG. Each part says its command and can be run alone.
"""

from __future__ import annotations

import subprocess
import sys

PARTS: dict[str, tuple[str, ...]] = {
    "morl_environments": ("deep-sea-treasure-v0", "minecart-v0"),
    "mujoco_lanes": (),
    "morl_ppo": (),
    "morl_training": (),
    "morl_sac": (),
    "morl_eupg": (),
}


def main() -> int:
    """Run every part; return how many failed."""
    failed = 0
    for name, options in PARTS.items():
        command = [sys.executable, "-m", f"benchmarks.{name}", *options]
        print(f"\n== python {' '.join(command[1:])}", flush=True)
        failed += subprocess.run(command, check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
