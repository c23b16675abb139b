"""Run an exported policy: python run_policy.py [SECONDS]. It needs mujoco, numpy and onnxruntime, nothing of ours."""

import json
import sys
from pathlib import Path

import mujoco
import numpy as np
import onnxruntime


def main(folder: Path, seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the trunk's path (steps, 3), m, and the feet's contacts; on hardware, its state takes `data`'s place."""
    contract = json.loads((folder / "contract.json").read_text())
    model = mujoco.MjModel.from_xml_path(str(folder / "model.xml"))
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, model.key("home").id)
    policy = onnxruntime.InferenceSession(str(folder / "policy.onnx"), providers=["CPUExecutionProvider"])
    default, table = np.array(contract["default_joint_pos"]), np.array(contract["stance_table"])
    action, phase, rotation, path, contacts = np.zeros_like(default), 0.0, np.zeros((3, 3)), [], []
    for _ in range(round(seconds * contract["control_hz"])):
        mujoco.mju_quat2Mat(rotation.reshape(-1), data.qpos[3:7])
        bins = ((phase - np.array(contract["phase_offsets"])) % 1.0 * table.shape[1]).astype(int)
        seen = {
            "base_lin_vel_b": rotation.T @ data.qvel[:3], "base_ang_vel_b": data.qvel[3:6], "last_action": action,
            "projected_gravity_b": -rotation[2], "command_speed": [contract["command_speed_m_s"]],
            "joint_pos_error": data.qpos[7:] - default, "joint_vel": data.qvel[6:],
            "expected_stance": table[np.arange(len(table)), bins],
            "clock_sin": [np.sin(2 * np.pi * phase)], "clock_cos": [np.cos(2 * np.pi * phase)],
        }  # fmt: skip
        observed = np.concatenate([part["scale"] * np.asarray(seen[part["name"]]) for part in contract["observation"]])
        action = policy.run(None, {"obs": observed[None].astype(np.float32)})[0][0].astype(float)
        action = np.clip(action, -contract["action_limit"], contract["action_limit"])
        data.ctrl[:] = default + np.array(contract["action_scale"]) * action
        mujoco.mj_step(model, data, round(1 / (contract["control_hz"] * model.opt.timestep)))
        phase = (phase + contract["stride_frequency_hz"] / contract["control_hz"]) % 1.0
        path.append(data.qpos[:3].copy())
        contacts.append([data.sensor(f"{foot}_touch").data[0] > 1.0 for foot in contract["feet"]])
    return np.array(path), np.array(contacts)


if __name__ == "__main__":
    way = main(Path(__file__).parent, float(sys.argv[1]) if len(sys.argv) > 1 else 10.0)[0]
    print(f"{way[-1, 0] - way[0, 0]:.2f} m forward in {len(way)} steps, trunk at {way[-1, 2]:.2f} m")
