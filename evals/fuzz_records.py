"""One good example of each record that lies in a file of its own, and a small rollout: what fuzzing begins from."""

from __future__ import annotations

import io
import json

from pydantic import BaseModel
from video2reward.memory import records
from video2reward.sim.config import GO1

_SHA = "0" * 64


def examples() -> dict[type[BaseModel], dict]:
    """Return the JSON of an example by kind."""
    clip = {
        "path": "a.mp4", "sha256": _SHA, "fps": 30.0, "duration_s": 2.0, "width_px": 64, "height_px": 48,
        "num_frames": 60, "notes": ["it was turned"],
    }  # fmt: skip
    limbs = {limb: 0.5 for limb in records.QUADRUPED_LIMBS}
    gait = {
        "subject": "quadruped", "gait": "trot", "stride_frequency_hz": 2.0, "duty_factor": limbs,
        "phase_offsets": limbs, "speed_leg_lengths_s": 3.0, "froude": 0.4, "leg_length_m_assumed": 0.5,
        "leg_length_px": 100.0, "stride_frequency_dimensionless": 0.45, "confidence": {"froude": 0.5},
        "limb_cycle": {"FL_foot": [[0.1, -0.9], [0.2, -0.8]]},
    }  # fmt: skip
    quality = {"verdict": "warn", "reasons": ["it is dark"], "view": "side", "periodicity": 0.9, "num_strides": 4.0}
    four = [0.5, 0.5, 0.5, 0.5]
    target = {
        "robot": "go1", "feet": list(GO1.feet), "gait": "trot", "speed_m_s": 1.0, "stride_frequency_hz": 2.2,
        "duty_factor": four, "phase_offsets": [0.0, 0.5, 0.5, 0.0], "leg_length_m": 0.256, "froude": 0.4,
    }  # fmt: skip
    term = {"name": "speed", "weight": 1.0, "serves": "speed", "doc": "Go.", "body": "return s.base_height_m"}
    draft = {"terms": [term], "rationale": "It trots.", "author": "offline", "edits": ["faster"]}
    program = {
        "id": "L1-C1", "path": "reward.py", "sha256": _SHA, "terms": {"speed": 1.0}, "serves": {"speed": "speed"},
        "author": "offline", "rationale": "It trots.",
    }  # fmt: skip
    training = {
        "attempt": "L1-C1", "status": "ok", "env_steps": 1000, "wall_s": 2.0, "metrics": {"mean_reward": 0.5},
        "term_means": {"speed": 0.25},
    }  # fmt: skip
    critique = {
        "attempt": "L1-C1", "passed": True,
        "gates": [{"name": "speed", "passed": True, "value": 1.0, "needed": "1", "sentence": "It goes."}],
        "similarity": {"gsi": 0.8, "gsi_ungated": 0.8, "E_f": 0.01, "E_beta": 0.05, "E_phi": 0.02, "E_Fr": 0.03},
        "robot": {
            "gait": "trot", "speed_m_s": 1.0, "stride_frequency_hz": 2.0, "duty_factor": four, "phase_offsets": four,
            "froude": 0.4, "survival": 1.0, "lifted_steps_hz": four, "raw_touchdowns_hz": four, "chatter": four,
        },
        "findings": [{"time_s": 1.0, "quantity": "speed", "value": 1.0, "wanted": 1.1, "sentence": "Slow."}],
        "verdict": "It was judged.", "num_envs": 4, "seconds": 10.0, "seed": 1000,
    }  # fmt: skip
    attempt = {
        "id": "L1-C1", "lap": 1, "candidate": 1, "target": target, "program": program, "training": training,
        "critique": critique,
    }  # fmt: skip
    result = {
        "schema": "video2reward.result/1", "status": "budget", "robot": "go1", "clip": "a.mp4", "author": "offline",
        "laps": 1, "candidates": 1, "env_steps": 1000, "wall_s": 60.0, "stop_reason": "all 1 laps are done.",
    }  # fmt: skip
    found = {
        records.Clip: clip,
        records.KeypointTrack: {
            "clip": clip, "skeleton": "quadruped", "names": ["nose", "neck"], "fps": 30.0,
            "arrays": {"path": "track.npz", "sha256": _SHA}, "source": "a file",
        },
        records.QualityReport: quality,
        records.GaitDescriptor: gait,
        records.ClipDescription: {
            "clip": clip, "subject": "quadruped", "pose_backend": "a file", "frames_used": 60, "quality": quality,
            "gait": gait,
        },
        records.MotionTarget: target,
        records.RewardDraft: draft,
        records.RewardProgram: program,
        records.TrainingSpec: {"attempt": "L1-C1", "reward": "reward.py", "target": target},
        records.TrainingRun: training,
        records.Critique: critique,
        records.Attempt: attempt,
        records.RunRequest: {"clip": "a.mp4", "out": "runs/a", "minutes": 10.0},
        records.RunResult: result,
    }  # fmt: skip
    return {
        kind: json.loads(kind.model_validate(example).model_dump_json(by_alias=True)) for kind, example in found.items()
    }


def small_rollout() -> bytes:
    """Return a rollout of one robot that stands for 1.6 s, as the judge reads it."""
    import numpy as np

    steps, feet = 80, GO1.num_feet
    meta = {"robot": "go1", "control_dt_s": 0.02, "physics_dt_s": 0.005, "seed": 1, "feet": GO1.feet}
    quaternion = np.zeros((steps, 1, 4), np.float32)
    quaternion[..., 0] = 1.0
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        foot_contact=np.ones((4 * steps, 1, feet), bool),
        foot_pos_w=np.zeros((4 * steps, 1, feet, 3), np.float32),
        base_pos_w=np.full((steps, 1, 3), 0.3, np.float32),
        base_quat_w=quaternion,
        root_pos_w=np.zeros((steps, 1, feet, 3), np.float32),
        mid_pos_w=np.zeros((steps, 1, feet, 3), np.float32),
        body_contact=np.zeros((steps, 1), bool),
        fell_at_s=np.full(1, np.inf),
        meta_json=np.array(json.dumps(meta)),
    )
    return buffer.getvalue()
