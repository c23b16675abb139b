"""Colours and light on what a canvas holds: coats with patches, socks and fur, flat drawings, plain robots."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from video2reward.evals.quadnet.bodies import Body
from video2reward.evals.quadnet.flesh import (
    EYE,
    FIRST_OTHER,
    HEAD,
    LEG_PARTS,
    LOAD,
    MOTOR,
    MUZZLE,
    NECK,
    NUM_PARTS,
    PANEL,
    SHIRT,
    SHOE,
    SKIN,
    STRAP,
    TAIL,
    TROUSERS,
    TRUNK,
)
from video2reward.evals.quadnet.raster import Canvas
from video2reward.evals.quadnet.textures import Bank, coat_colour, random_colour

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Coat:
    """How a picture's parts are coloured and lit; the same for the frames of one sample."""

    colours: Floats
    patch_colours: Floats
    patches: Floats | None
    fur: Floats
    fur_strength: float
    light: tuple[float, float, float]
    ambient: float
    melt_px: int
    outline: float
    ragged: float


def random_coat(rng: np.random.Generator, body: Body, ground_colour: Floats, bank: Bank, size_px: int) -> Coat:
    """Draw colours and light; now and then the whole animal or its legs alone have the colour of the ground."""
    u = rng.uniform
    base = random_colour(rng, 0.5) if body.kind == "robot" or body.schematic else coat_colour(rng)
    if rng.random() < 0.12:
        base = np.clip(ground_colour * u(0.8, 1.2) + rng.normal(0, 8, 3), 0, 255).astype(np.float32)
    colours = np.tile(base, (NUM_PARTS, 1)).astype(np.float32)
    far_light = u(0.45, 0.75) if rng.random() < 0.5 else u(0.75, 1.05)
    near_light = u(0.85, 1.3)
    leg_colour = base if rng.random() < 0.6 else coat_colour(rng)
    if rng.random() < 0.12:
        leg_colour = np.clip(ground_colour * u(0.8, 1.2), 0, 255)
    sock = coat_colour(rng) if rng.random() < 0.35 else None
    socks_from = int(rng.integers(1, 4))
    for name, parts in LEG_PARTS.items():
        light = near_light if name.startswith("near") else far_light
        for index, part in enumerate(parts):
            socked = sock is not None and index >= socks_from and rng.random() < 0.9
            thigh = index == 0 and not body.schematic and body.kind != "robot"
            colours[part] = (sock if socked else base if thigh else leg_colour) * light
    for part in (HEAD, MUZZLE, NECK, TAIL):
        if rng.random() < 0.2:
            colours[part] = coat_colour(rng)
    colours[EYE] = u(0, 40)
    colours[STRAP] = random_colour(rng, 0.3)
    if body.kind == "robot" and not body.schematic:
        _machine_colours(rng, colours, base, near_light, far_light)
    for part, colour in ((TROUSERS, None), (SHOE, None), (SHIRT, None), (SKIN, (200, 150, 120))):
        colours[part] = random_colour(rng, 0.5) if colour is None else np.array(colour) * u(0.4, 1.15)
    patch_colours = colours.copy()
    patches = None
    if rng.random() < 0.4 and body.kind != "robot" and not body.schematic:
        noise = bank.noise(rng, size_px)
        patches = np.clip((noise - u(0.35, 0.65)) * u(4, 30) + 0.5, 0, 1).astype(np.float32)
        patch_colours[TRUNK:FIRST_OTHER] = coat_colour(rng)
    flat = body.schematic or rng.random() < 0.1
    direction = np.array([u(-1, 1), -u(0.3, 1.5), u(0.2, 1.2)])
    direction /= np.linalg.norm(direction)
    return Coat(
        colours=np.clip(colours, 0, 255),
        patch_colours=np.clip(patch_colours, 0, 255),
        patches=patches,
        fur=bank.noise(rng, size_px, fine=rng.random() < 0.7),
        fur_strength=0.0 if flat and rng.random() < 0.7 else u(0.05, 0.6),
        light=(float(direction[0]), float(direction[1]), float(direction[2])),
        ambient=1.0 if flat else u(0.3, 0.85),
        melt_px=0 if rng.random() < 0.3 else int(rng.integers(3, 12)),
        outline=u(0.2, 0.8) if flat and rng.random() < 0.3 else 0.0,
        ragged=0.0 if flat or rng.random() < 0.6 else u(0.5, 1.5),
    )


def _machine_colours(
    rng: np.random.Generator, colours: Floats, base: Floats, near_light: float, far_light: float
) -> None:
    """Colour a robot's parts in place: drums, upper and lower legs and feet are often of another stuff each."""
    for part in (MOTOR, LOAD, PANEL, HEAD, MUZZLE, NECK):
        colours[part] = random_colour(rng, 0.5) if rng.random() < 0.7 else base * rng.uniform(0.5, 1.2)
    if rng.random() < 0.35:
        return
    upper, lower, foot = (random_colour(rng, 0.6) for _ in range(3))
    if rng.random() < 0.4:
        lower = np.full(3, rng.uniform(10, 60), np.float32)
    each = rng.random() < 0.2
    for name, (first, second, third, ball) in LEG_PARTS.items():
        light = near_light if name.startswith("near") else far_light
        colours[first] = (upper if rng.random() < 0.97 else base) * light
        colours[second] = colours[third] = lower * light
        # Feet of four colours tell nobody which leg is which.
        colours[ball] = (random_colour(rng, 0.0) if each else foot) * light


def paint(canvas: Canvas, coat: Coat, shift_px: tuple[int, int]) -> tuple[Floats, Floats]:
    """Return RGB (S, S, 3) and opacity (S, S); the coat's pattern is moved with the body by `shift_px`."""
    nx, ny = canvas.normal_x, canvas.normal_y
    if coat.melt_px:
        nx, ny = (cv2.blur(n, (coat.melt_px, coat.melt_px)) for n in (nx, ny))
    rgb = coat.colours[canvas.part]
    if coat.patches is not None:
        share = np.roll(coat.patches, shift_px, (1, 0))[..., None]
        rgb = rgb + (coat.patch_colours[canvas.part] - rgb) * share
    light = np.full(nx.shape, 1.0, np.float32)
    if coat.ambient < 1.0:
        nz = np.sqrt(np.maximum(1.0 - nx * nx - ny * ny, 0.0))
        lit = np.maximum(coat.light[0] * nx + coat.light[1] * ny + coat.light[2] * nz, 0.0)
        light = coat.ambient + 1.3 * (1.0 - coat.ambient) * lit
    fur = np.roll(coat.fur, shift_px, (1, 0))
    if coat.fur_strength:
        light = light * (1.0 + coat.fur_strength * (fur - 0.5))
    if coat.outline:
        edge = cv2.morphologyEx(canvas.part, cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8)) > 0
        light = light * np.where(edge, 1.0 - coat.outline, 1.0)
    cover = canvas.cover
    if coat.ragged:
        soft = cv2.GaussianBlur(cover, (0, 0), 1.5)
        cover = np.clip((soft + (fur - 0.5) * 0.6 * coat.ragged - 0.5) * 3.0 + 0.5, 0.0, 1.0) * (soft > 0.05)
    return rgb * light[..., None], cover
