"""Draw the block diagrams beside this file: ``python docs/diagrams/draw.py [FOLDER]`` writes them as SVG.

Names are those of the code. A diagram is white, with a border, so that it reads on dark pages too.
"""

import sys
from html import escape
from itertools import pairwise
from pathlib import Path

# kind of a box -> its fill and its line
COLOURS = {
    'plain': ('#f6f8fa', '#6e7781'),
    'data': ('#ffffff', '#6e7781'),
    'attention': ('#dbeafe', '#2563eb'),
    'mlp': ('#fef3c7', '#b45309'),
    'conv': ('#dcfce7', '#15803d'),
    'token': ('#fce7f3', '#be185d'),
    'panel': ('none', '#afb8c1'),
}
INK, FAINT = '#1f2328', '#57606a'
Point = tuple[float, float]


class Box:
    """A place on the drawing that arrows go to and come from."""

    def __init__(self, x: float, y: float, width: float, height: float) -> None:
        self.x, self.y, self.width, self.height = x, y, width, height
        self.left, self.right = (x, y + height / 2), (x + width, y + height / 2)
        self.top, self.bottom = (x + width / 2, y), (x + width / 2, y + height)


class Drawing:
    """An SVG in the making.

    Args:
        width (int): Of the drawing.
        height (int): Of the drawing.
        title (str): What it shows, for those who cannot see it.
    """

    def __init__(self, width: int, height: int, title: str) -> None:
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" role="img" font-family="Helvetica, Arial, DejaVu Sans, sans-serif">',
            f'<title>{escape(title)}</title>',
            '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            f'orient="auto"><path d="M0,0 L8,4 L0,8 Z" fill="{FAINT}"/></marker></defs>',
            f'<rect x="1" y="1" width="{width - 2}" height="{height - 2}" rx="10" fill="#ffffff" stroke="#d0d7de"/>',
        ]

    def text(self, x: float, y: float, words: str, size: int = 13, anchor: str = 'middle', style: str = '') -> None:
        """Write a line; ``style`` is ``bold`` or ``faint``."""
        look = f'fill="{FAINT if style == "faint" else INK}"' + (' font-weight="600"' if style == 'bold' else '')
        self.parts.append(
            f'<text x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="{anchor}" {look}>{escape(words)}</text>'
        )

    def box(self, x: float, y: float, width: float, height: float, lines: str, kind: str = 'plain') -> Box:
        """Draw a box; the first of its lines is a name, the others are smaller."""
        fill, stroke = COLOURS[kind]
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6" fill="{fill}" stroke="{stroke}" '
            'stroke-width="1.4"/>'
        )
        rows = lines.split('\n')
        first = y + height / 2 - 8 * (len(rows) - 1) + 4.5
        for i, row in enumerate(rows):
            self.text(x + width / 2, first + 16 * i, row, 12 if i else 13, style='faint' if i else '')
        return Box(x, y, width, height)

    def panel(
        self, x: float, y: float, width: float, height: float, title: str, note: str = '', indent: float = 14
    ) -> None:
        """Draw the frame of a part of the drawing, with its name at the top."""
        fill, stroke = COLOURS['panel']
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="8" fill="{fill}" stroke="{stroke}" '
            'stroke-dasharray="5 4"/>'
        )
        self.text(x + indent, y + 23, title, 14, 'start', 'bold')
        if note:
            self.text(x + indent, y + 41, note, 12, 'start', 'faint')

    def plus(self, x: float, y: float) -> Box:
        """Draw a sum."""
        self.parts.append(f'<circle cx="{x:g}" cy="{y:g}" r="10" fill="#ffffff" stroke="{FAINT}" stroke-width="1.4"/>')
        self.parts.append(f'<path d="M{x - 5:g},{y:g} h10 M{x:g},{y - 5:g} v10" stroke="{FAINT}" stroke-width="1.4"/>')
        return Box(x - 10, y - 10, 20, 20)

    def arrow(self, *points: Point, head: bool = True) -> None:
        """Draw a line through points, with a head at its end."""
        path = 'M' + ' L'.join(f'{x:g},{y:g}' for x, y in points)
        extra = ' marker-end="url(#head)"' if head else ''
        self.parts.append(f'<path d="{path}" fill="none" stroke="{FAINT}" stroke-width="1.4"{extra}/>')

    def chain(self, *boxes: Box) -> None:
        """Draw arrows from box to box, downwards."""
        for above, below in pairwise(boxes):
            self.arrow(above.bottom, below.top)

    def around(self, start: Point, end: Point, x: float) -> None:
        """Draw a shortcut from a point to the side of a box, by way of ``x``."""
        self.arrow(start, (x, start[1]), (x, end[1]), end)

    def finish(self) -> str:
        """The text of the SVG."""
        return '\n'.join([*self.parts, '</svg>', ''])


def residual(draw: Drawing, x: float, y: float, branch: list[tuple[str, str]]) -> Box:
    """Draw boxes one below the other, entered at ``y``, and the sum of what they give and what enters; returns that."""
    boxes = [draw.box(x, y + 22 + 44 * i, 190, 30, name, kind) for i, (name, kind) in enumerate(branch)]
    total = draw.plus(x + 95, boxes[-1].bottom[1] + 22)
    draw.arrow((x + 95, y), boxes[0].top)
    draw.chain(*boxes, total)
    draw.around((x + 95, y + 6), total.left, x - 16)
    return total


def draw_families() -> str:
    """What attends to what, a panel for each family."""
    draw = Drawing(1000, 330, 'What attends to what in DualFormer, Video Mobile-Former and VidTr')
    draw.panel(20, 20, 308, 290, 'DualFormer', 'local windows, then global priors')
    grid(draw, 44, 92, 8, 8, 15, lambda row, column: (row // 4 + column // 4) % 2)
    grid(draw, 204, 84, 4, 4, 15, lambda row, column: 2)
    grid(draw, 211, 172, 2, 2, 23, lambda row, column: 2)
    draw.arrow((166, 128), (200, 115))
    draw.arrow((166, 176), (205, 194))
    draw.text(276, 118, 'fine', 12, 'start', 'faint')
    draw.text(268, 199, 'coarse', 12, 'start', 'faint')
    draw.box(44, 244, 120, 46, 'LW-MSA\nwithin a window', 'attention')
    draw.box(190, 244, 120, 46, 'GP-MSA\nto the priors', 'attention')
    draw.arrow((164, 267), (190, 267))

    draw.panel(346, 20, 308, 290, 'Video Mobile-Former', 'convolutions and six tokens, side by side')
    for y, words, kind in ((92, 'Mobile\nfeature map', 'conv'), (222, 'Former\nsix global tokens', 'token')):
        draw.arrow((362, y + 32), (412, y + 32))
        draw.box(412, y, 176, 64, words, kind)
        draw.arrow((588, y + 32), (638, y + 32))
    draw.arrow((386, 124), (386, 188), (460, 188), (460, 222))
    draw.arrow((504, 222), (504, 156))
    bridge = draw.plus(614, 124)
    draw.arrow((614, 254), bridge.bottom)
    draw.text(452, 180, 'local to global', 12, style='faint')
    draw.text(510, 192, 'dynamic', 12, 'start', 'faint')
    draw.text(510, 206, 'ReLU', 12, 'start', 'faint')
    draw.text(608, 192, 'global', 12, 'end', 'faint')
    draw.text(608, 206, 'to local', 12, 'end', 'faint')

    draw.panel(672, 20, 308, 290, 'VidTr', 'along time, then over space')
    grid(draw, 706, 92, 8, 6, 16, lambda row, column: 0 if column == 2 else 3)
    draw.arrow((692, 96), (692, 216))
    draw.text(700, 232, 'time', 12, style='faint')
    grid(draw, 856, 92, 8, 6, 16, lambda row, column: 1 if row == 3 else 3)
    draw.arrow((806, 156), (852, 156))
    draw.text(904, 236, 'space', 12, style='faint')
    draw.arrow((860, 222), (948, 222))
    draw.box(696, 248, 118, 46, 'MSA_t\nat each place', 'attention')
    draw.box(846, 248, 118, 46, 'MSA_s\nin each frame', 'mlp')
    draw.arrow((814, 271), (846, 271))
    return draw.finish()


def draw_dualformer() -> str:
    """The stages, a block, and its two kinds of attention."""
    draw = Drawing(1000, 850, 'DualFormer: four stages of blocks; a block attends within windows, then globally')
    draw.text(24, 34, 'DualFormer', 17, 'start', 'bold')
    draw.text(124, 34, "here 'tiny', for a clip of 32 frames of 224 x 224", 13, 'start', 'faint')
    x = draw.box(24, 62, 92, 66, 'clip\n3 channels\n32 x 224 x 224', 'data').right
    for i, (dim, blocks, size) in enumerate(
        zip((64, 128, 256, 512), (1, 1, 5, 2), ('16 x 56 x 56', '16 x 28 x 28', '16 x 14 x 14', '16 x 7 x 7'))
    ):
        box = draw.box(
            144 + 166 * i, 54, 140, 82, f'stages[{i}]\npatch_embed\nblocks x {blocks}\n{dim} x {size}', 'conv'
        )
        draw.arrow(x, box.left)
        x = box.right
    norm = draw.box(808, 76, 60, 38, 'norm')
    draw.arrow(x, norm.left)
    out = draw.box(892, 62, 86, 66, 'map\n512 channels\n16 x 7 x 7', 'data')
    draw.arrow(norm.right, out.left)

    draw.panel(24, 160, 292, 666, 'DualFormerBlock', "block_types 'LG': local, then global")
    draw.arrow((169, 206), (169, 222), head=False)
    local = residual(draw, 74, 220, [('norm1', 'plain'), ('LocalWindowAttention', 'attention')])
    local = residual(draw, 74, local.bottom[1], [('norm2', 'plain'), ('mlp', 'mlp')])
    peg = draw.box(74, 488, 190, 38, 'peg\nin the first block of a stage', 'conv')
    draw.chain(local, peg)
    total = residual(draw, 74, peg.bottom[1], [('norm1', 'plain'), ('GlobalPyramidAttention', 'attention')])
    total = residual(draw, 74, total.bottom[1], [('norm2', 'plain'), ('mlp', 'mlp')])
    draw.arrow(total.bottom, (169, 810))
    draw.text(304, 350, 'TransformerLayer', 12, 'end', 'faint')
    draw.text(304, 656, 'TransformerLayer', 12, 'end', 'faint')

    draw.panel(336, 160, 292, 666, 'LocalWindowAttention', 'each token attends to the tokens of its window')
    tokens = draw.box(392, 222, 180, 30, 'tokens [B, T, H, W, C]', 'data')
    parts = draw.box(392, 280, 180, 46, 'partition_windows\nwindow_size 8 x 7 x 7')
    qkv = draw.box(392, 354, 180, 30, 'qkv', 'plain')
    attend = draw.box(392, 412, 180, 46, 'multi_head_attention\nin each window alone', 'attention')
    proj = draw.box(392, 486, 180, 30, 'proj')
    merge = draw.box(392, 544, 180, 30, 'merge_windows')
    draw.chain(tokens, parts, qkv, attend, proj, merge)
    draw.arrow(merge.bottom, (482, 598))
    draw.text(482, 804, 'four windows in one frame', 12, style='faint')
    grid(draw, 402, 622, 8, 8, 20, lambda row, column: (row // 4 + column // 4) % 2)

    draw.panel(648, 160, 328, 666, 'GlobalPyramidAttention', 'each token attends to all priors of the pyramid')
    tokens = draw.box(722, 222, 180, 30, 'tokens [B, T, H, W, C]', 'data')
    fine = draw.box(664, 306, 88, 46, 'fine\n8 x 7 x 7', 'conv')
    draw.box(764, 290, 116, 130, '', 'conv')
    draw.text(822, 308, 'coarse', 13)
    draw.text(822, 324, '4 x 4 x 4', 12, style='faint')
    for i, name in enumerate(('down1', 'norm, act', 'down2')):
        draw.box(778, 334 + 28 * i, 88, 22, name)
    cat = draw.box(684, 446, 176, 46, 'cat, norm\nthe global priors [B, S, C]')
    kv = draw.box(684, 520, 176, 30, 'kv')
    query = draw.box(898, 520, 60, 30, 'q')
    attend = draw.box(684, 590, 274, 46, 'multi_head_attention\nof all tokens to the priors', 'attention')
    proj = draw.box(731, 664, 180, 30, 'proj')
    draw.arrow(tokens.bottom, (812, 270), (708, 270), fine.top)
    draw.arrow((812, 270), (822, 270), (822, 290))
    draw.arrow((822, 270), (928, 270), query.top)
    draw.arrow(fine.bottom, (708, 446))
    draw.arrow((822, 420), (822, 446))
    draw.chain(cat, kv)
    draw.arrow(kv.bottom, (772, 590))
    draw.arrow(query.bottom, (928, 590))
    draw.arrow((821, 636), proj.top)
    draw.arrow(proj.bottom, (821, 722))
    draw.text(812, 744, 'stages 0, 1: fine and coarse; 2: fine; 3: the whole map', 12, style='faint')
    return draw.finish()


def grid(draw: Drawing, x: float, y: float, rows: int, columns: int, step: int, colour) -> None:
    """Draw a grid of tokens; ``colour`` says for a row and column which of the fills it has."""
    fills = (COLOURS['attention'][0], COLOURS['mlp'][0], COLOURS['token'][0], '#ffffff', '#a855f7')
    for row in range(rows):
        for column in range(columns):
            draw.parts.append(
                f'<rect x="{x + step * column:g}" y="{y + step * row:g}" width="{step}" height="{step}" '
                f'fill="{fills[colour(row, column)]}" stroke="#8c959f" stroke-width="0.8"/>'
            )


def draw_video_mobile_former() -> str:
    """The two paths, and a block with its two bridges."""
    draw = Drawing(1000, 800, 'Video Mobile-Former: convolutions and six tokens, with two bridges in each block')
    draw.text(24, 34, 'Video Mobile-Former', 17, 'start', 'bold')
    draw.text(204, 34, "here '1g', for a clip of 64 frames of 224 x 224", 13, 'start', 'faint')
    clip = draw.box(24, 56, 92, 62, 'clip\n3 channels\n64 x 224 x 224', 'data')
    stem = draw.box(144, 56, 100, 62, 'stem\n16 channels\n16 x 112 x 112', 'conv')
    tokens = draw.box(144, 138, 100, 46, 'tokens\n6 x 128', 'token')
    draw.arrow(clip.right, stem.left)
    upper, lower = stem.right, tokens.right
    for i, (dim, blocks, size) in enumerate(zip((16, 32, 64, 128), (1, 2, 3, 2), (56, 28, 14, 7))):
        box = draw.box(
            270 + 134 * i, 56, 112, 128, f'stages[{i}]\nblocks x {blocks}\n{dim} channels\n16 x {size} x {size}'
        )
        draw.arrow(upper, (box.x, upper[1]))
        draw.arrow(lower, (box.x, lower[1]))
        upper, lower = (box.x + 112, upper[1]), (box.x + 112, lower[1])
    head = draw.box(808, 56, 168, 128, 'VideoMobileFormerHead\nmean of the map,\nthe first token,\nclassifier', 'mlp')
    draw.arrow(upper, (head.x, upper[1]))
    draw.arrow(lower, (head.x, lower[1]))

    draw.panel(24, 212, 952, 564, 'VideoMobileFormerBlock')
    draw.panel(84, 306, 304, 322, 'mobile', 'an inverted bottleneck')
    draw.panel(620, 386, 300, 190, 'former', 'a transformer layer')
    draw.text(270, 262, 'map [B, C, T, H, W]')
    draw.text(770, 262, 'tokens [B, 6, 128]')
    rows = [
        ('expand', 'conv'),
        ('act1', 'token'),
        ('depthwise, excitation', 'conv'),
        ('act2', 'token'),
        ('project', 'conv'),
    ]
    boxes = [draw.box(176, 372 + 42 * i, 188, 28, name, kind) for i, (name, kind) in enumerate(rows)]
    total = draw.plus(270, 600)
    draw.arrow((270, 270), boxes[0].top)
    draw.chain(*boxes, total)
    shortcut = draw.box(98, 456, 64, 28, 'shortcut')
    draw.arrow((270, 361), (130, 361), shortcut.top)
    draw.arrow(shortcut.bottom, (130, 600), total.left)

    to_global = draw.box(650, 292, 240, 46, 'local_to_global\nthe tokens attend to the map', 'attention')
    draw.arrow((770, 270), to_global.top)
    draw.arrow((270, 292), (560, 292), (560, 315), to_global.left)
    attend = draw.box(676, 440, 188, 28, 'attention, norm1', 'attention')
    mlp = draw.box(676, 500, 188, 28, 'mlp, norm2', 'mlp')
    draw.chain(to_global, attend, mlp)
    draw.arrow(mlp.bottom, (770, 756))
    draw.arrow((770, 596), (440, 596), (440, boxes[1].right[1]), boxes[1].right)
    draw.arrow((440, boxes[3].right[1]), boxes[3].right)
    draw.text(450, 464, 'the first token sets', 12, 'start', 'faint')
    draw.text(450, 480, 'the slopes of DynamicReLU', 12, 'start', 'faint')
    to_local = draw.box(150, 662, 240, 46, 'global_to_local\nthe map attends to the tokens', 'attention')
    draw.chain(total, to_local)
    draw.arrow((770, 685), to_local.right)
    draw.arrow(to_local.bottom, (270, 756))
    return draw.finish()


def draw_vidtr() -> str:
    """A layer, separable attention, and the pooling of compact VidTr."""
    draw = Drawing(1000, 800, 'VidTr: attention along time, then over space; compact VidTr keeps the topK frames')
    draw.text(24, 34, 'VidTr', 17, 'start', 'bold')
    draw.text(76, 34, "here 'small', for a clip of 8 frames of 224 x 224", 13, 'start', 'faint')
    row = [
        draw.box(24, 56, 104, 62, 'clip\n3 channels\n8 x 224 x 224', 'data'),
        draw.box(160, 56, 130, 62, 'patch_embed\n768 channels\n8 x 14 x 14', 'conv'),
        draw.box(322, 56, 160, 62, 'grid_embed\nclass tokens around,\nposition of each cell', 'token'),
        draw.box(514, 56, 130, 62, 'layers x 12\nVidTrLayer', 'attention'),
        draw.box(676, 56, 130, 62, 'norm\nof the first token'),
        draw.box(838, 56, 138, 62, 'TimeSformerHead\nclassifier', 'mlp'),
    ]
    for before, after in pairwise(row):
        draw.arrow(before.right, after.left)

    draw.panel(24, 148, 260, 628, 'VidTrLayer')
    x = 164
    entry = (x, 188)
    norm1 = draw.box(x - 80, 214, 160, 30, 'norm1')
    position = draw.plus(x, 282)
    attn = draw.box(x - 80, 322, 160, 30, 'attn', 'attention')
    drop = draw.box(x - 80, 380, 160, 30, 'drop')
    total = draw.plus(x, 448)
    norm2 = draw.box(x - 80, 500, 160, 30, 'norm2')
    mlp = draw.box(x - 80, 558, 160, 30, 'mlp', 'mlp')
    total2 = draw.plus(x, 626)
    draw.arrow(entry, norm1.top)
    draw.chain(norm1, position, attn, drop, total, norm2, mlp, total2)
    draw.around((x, 200), total.left, x - 96)
    draw.around((x, 478), total2.left, x - 96)
    draw.arrow((x + 96, 282), position.right)
    draw.text(x + 114, 306, 'position', 12, 'end', 'faint')
    draw.arrow(total2.bottom, (x, 676))
    draw.text(154, 706, 'the position is added in the first', 12, style='faint')
    draw.text(154, 722, "layer, with position='every' in all", 12, style='faint')

    draw.panel(304, 148, 316, 628, 'SeparableAttention', 'along time, then over space')
    tokens = draw.box(372, 206, 180, 30, 'grid [B, T+1, HW+1, C]', 'data')
    qkv = draw.box(372, 262, 180, 30, 'qkv')
    draw.chain(tokens, qkv)
    time = draw.box(392, 330, 210, 46, 'attend(1, q, k, v)\nalong time, at each place', 'attention')
    space = draw.box(392, 414, 210, 46, 'attend(2, q, k, v)\nover space, in each frame', 'attention')
    proj = draw.box(407, 498, 180, 30, 'proj')
    draw.arrow((497, 292), time.top)
    draw.text(505, 314, 'q, k, v', 12, 'start', 'faint')
    draw.arrow(time.bottom, space.top)
    draw.text(505, 400, 'v', 12, 'start', 'faint')
    draw.arrow(space.bottom, proj.top)
    draw.arrow((400, 292), (400, 310), (350, 310), (350, 437), space.left)
    draw.text(342, 378, 'q, k', 12, 'end', 'faint')
    draw.arrow(proj.bottom, (497, 552))
    colours = {(0, 0): 4, (0, 1): 2, (1, 0): 2}
    grid(draw, 388, 580, 5, 8, 24, lambda r, c: colours.get((min(r, 1), min(c, 1)), 0))
    draw.arrow((370, 604), (370, 698))
    draw.text(362, 656, 'time', 12, 'end', 'faint')
    draw.arrow((412, 716), (576, 716))
    draw.text(494, 734, 'space', 12, style='faint')
    draw.text(462, 758, 'first row and column: class tokens; corner: the clip', 12, style='faint')

    draw.panel(640, 148, 336, 628, 'CompactAttention', "'compact_small' drops frames in layers 1, 3 and 5")
    qkv = draw.box(718, 206, 180, 30, 'qkv')
    draw.panel(656, 262, 304, 330, 'temporal: TopKStdPooling', 'for each head and place', indent=30)
    matrix = draw.box(698, 318, 220, 30, 'softmax of q k^T, [T, T]', 'attention')
    spread = draw.box(698, 370, 220, 46, 'standard deviation of each row\na uniform row tells nothing')
    top = draw.box(698, 438, 220, 46, "topk: keep T' of T rows\nin their order", 'token')
    times = draw.box(698, 522, 220, 46, "softmax of these rows, times v\nv [B, T', HW, C]", 'attention')
    draw.arrow((884, 236), (884, 318))
    draw.text(892, 254, 'q, k', 12, 'start', 'faint')
    draw.chain(matrix, spread, top, times)
    draw.arrow((740, 236), (740, 250), (672, 250), (672, 545), times.left)
    draw.text(680, 452, 'v', 12, 'start', 'faint')
    draw.arrow(top.right, (944, 461), (944, 641), (918, 641))
    draw.text(940, 612, 'q, k: the same rows', 12, 'end', 'faint')
    space = draw.box(698, 618, 220, 46, 'attend(2, q, k, v)\nover space, in each frame kept', 'attention')
    draw.arrow(times.bottom, space.top)
    proj = draw.box(718, 692, 180, 30, 'proj')
    draw.chain(space, proj)
    draw.arrow(proj.bottom, (808, 742))
    draw.text(808, 762, 'the residual stream keeps the same frames', 12, style='faint')
    return draw.finish()


def draw_clip() -> str:
    """A clip from its file to its label."""
    draw = Drawing(1000, 548, 'A clip from its file to its label: read, sampled, decoded, transformed, classified')
    draw.text(24, 34, 'A clip from its file to its label', 17, 'start', 'bold')
    draw.text(24, 54, 'in the test of configs/dualformer_t_k400.py', 13, 'start', 'faint')
    draw.panel(24, 74, 952, 128, 'mmdualformer/video')
    draw.panel(24, 250, 952, 128, 'transforms of the config')
    draw.panel(24, 398, 952, 128, 'recognizer')
    rows = [
        (
            122,
            [
                ('video file\nor folder of images', 'data'),
                ('PacketSource\nall packets of the file', 'conv'),
                ('Index\nwhich frame is where', 'conv'),
                ('VideoFile\ndecodes from a key frame', 'conv'),
                ('Converter\nupright RGB frames', 'conv'),
            ],
        ),
        (
            298,
            [
                ('VideoInit\ntotal_frames, avg_fps', 'token'),
                ('SampleFrames\nframe_inds of 4 clips', 'plain'),
                ('VideoDecode\nimgs [H, W, 3] each', 'token'),
                ('Resize, CenterCrop\n224 x 224', 'plain'),
                ('FormatShape, Pack\ninputs [4, 3, 32, 224, 224]', 'plain'),
            ],
        ),
        (
            446,
            [
                ('data_preprocessor\nmean and std', 'plain'),
                ('backbone\n[4, 512, 16, 7, 7]', 'attention'),
                ('cls_head\nscores of each clip', 'mlp'),
                ('average_clips\nmean of probabilities', 'mlp'),
                ('pred_score, label\nname in dataset_meta', 'data'),
            ],
        ),
    ]
    placed = [
        [draw.box(40 + 188 * i, y, 164, 56, lines, kind) for i, (lines, kind) in enumerate(boxes)] for y, boxes in rows
    ]
    for boxes in placed:
        for before, after in pairwise(boxes):
            draw.arrow(before.right, after.left)
    reading, transforms, model = placed
    draw.arrow(reading[2].bottom, (498, 222), (12, 222), (12, 326), transforms[0].left)
    draw.text(310, 217, 'number of frames', 12, style='faint')
    draw.arrow(transforms[2].top, (498, 238), (686, 238), reading[3].bottom)
    draw.text(592, 232, 'numbers of the frames', 12, style='faint')
    draw.arrow(reading[4].bottom, (874, 280), (540, 280), (540, 298))
    draw.text(780, 274, 'frames', 12, style='faint')
    draw.arrow(transforms[4].bottom, (874, 388), (12, 388), (12, 474), model[0].left)
    return draw.finish()


DIAGRAMS = {
    'families': draw_families,
    'dualformer': draw_dualformer,
    'video_mobile_former': draw_video_mobile_former,
    'vidtr': draw_vidtr,
    'clip': draw_clip,
}


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for name, draw in DIAGRAMS.items():
        path = folder / f'{name}.svg'
        path.write_text(draw(), encoding='utf-8')
        print(path)


if __name__ == '__main__':
    main()
