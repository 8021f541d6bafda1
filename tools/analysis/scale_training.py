"""Say how a training step grows with the GPUs: measured for two processes here, on paper for clusters.

The step of one process and the link between two are measured, the step of two is predicted of these and compared with
what it takes. The same model then says where clusters would stand, for a GPU whose step time is given or assumed.
"""

import argparse
import sys

import mmdualformer  # noqa: F401  (registers the models and mends the installed stack)

# isort: split
from mmdualformer import cli
from mmdualformer.analysis import count_cost
from mmdualformer.analysis.benchmark import Source, read_models
from mmdualformer.analysis.benchmark.output import check_json_output, write_json
from mmdualformer.analysis.benchmark.sources import as_logits, shape_of
from mmdualformer.analysis.scaling import Cluster, Link, Step, measure_processes, split_buckets, step_time
from mmdualformer.papers.report import markdown_table

# An A100: dense bfloat16 multiply-adds a second (312 TFLOP/s), of which a good training step reaches a third.
RATE, SHARE = 156e12, 0.35
# Bytes and seconds: NVLink of an A100, half of its 600 GB/s each way, and HDR InfiniBand, one port for each GPU.
INSIDE, BETWEEN = Link(250e9, 5e-6), Link(20e9, 10e-6)
HERE = {
    'model': ('model', ''),
    'one process, ms': ('one_ms', '.0f'),
    'two, each for itself, ms': ('two_alone_ms', '.0f'),
    'two together, ms': ('two_ms', '.0f'),
    'predicted, ms': ('predicted_ms', '.0f'),
    'gradients, MB': ('gradient_mb', '.1f'),
    'buckets': ('buckets', ''),
    'link, GB/s': ('link_gb_per_s', '.2f'),
    'its latency, ms': ('link_latency_ms', '.2f'),
}
PAPER = {
    'model': ('model', ''),
    'GPUs': ('gpus', ''),
    'step, ms': ('step_ms', '.3g'),
    'efficiency': ('efficiency', '.1%'),
    'clips/s': ('clips_per_s', '.0f'),
}
CLUSTERS = {1: (1, 1), 8: (1, 8), 16: (2, 8), 32: (4, 8), 64: (8, 8)}


def parse_args() -> argparse.Namespace:
    parser = cli.ArgumentParser(description=__doc__)
    parser.add_argument('models', nargs='+', metavar='CONFIG|CHECKPOINT', help='as of mmdualformer benchmark')
    parser.add_argument(
        '--shape',
        type=cli.clip_size,
        metavar='TxS',
        help="frames and size of the clips here (default: of the model's test)",
    )
    parser.add_argument('--batch', type=cli.at_least(1), default=1, help='clips of a process here')
    parser.add_argument('--runs', type=cli.at_least(1), default=5, help='timed steps of each')
    parser.add_argument('--gpu-batch', type=cli.at_least(1), default=8, help='clips of a GPU on paper')
    parser.add_argument(
        '--gpu-ms',
        type=float,
        help='milliseconds of a training step of one GPU, as mmdualformer benchmark --train says (default: assumed, '
        f'{SHARE:.0%}% of an A100)',
    )
    parser.add_argument('--gb-per-s', type=float, default=BETWEEN.bandwidth / 1e9, help='of each GPU between machines')
    cli.add_out_arguments(parser, metavar='FILE.json', help='also write the numbers')
    return parser.parse_args()


def check_here(source: Source, args: argparse.Namespace) -> dict:
    """Measure one process and two, and predict the second of the first."""
    clip = (args.batch, 3, *(args.shape or shape_of(source.build())))
    print(f'{source.name}: one process', file=sys.stderr)
    one = measure_processes(source, clip, 1, args.runs)
    print(f'{source.name}: two processes', file=sys.stderr)
    two = measure_processes(source, clip, 2, args.runs)
    assert two.link is not None
    buckets = split_buckets(two.gradients)
    here = Cluster(1, 2, two.link, two.link)
    return dict(
        model=source.name,
        clip=list(clip),
        one_ms=1e3 * one.step.total,
        two_alone_ms=1e3 * two.step.total,
        two_ms=1e3 * two.together,
        predicted_ms=1e3 * step_time(two.step, buckets, here, overlap=False),
        gradient_mb=sum(two.gradients) / 1e6,
        buckets=len(buckets),
        link_gb_per_s=two.link.bandwidth / 1e9,
        link_latency_ms=1e3 * two.link.latency,
    )


def predict(source: Source, args: argparse.Namespace) -> list[dict]:
    """Steps of clusters, on paper."""
    recognizer = source.build()
    sizes = [4 * parameter.numel() for parameter in recognizer.parameters() if parameter.requires_grad]
    macs = count_cost(as_logits(recognizer), (1, 3, *shape_of(recognizer))).macs
    total = 1e-3 * args.gpu_ms if args.gpu_ms else 3 * macs * args.gpu_batch / (RATE * SHARE)
    step = Step(total / 3, total * 2 / 3, 0.0)
    between = Link(1e9 * args.gb_per_s, BETWEEN.latency)
    rows = []
    for gpus, (machines, each) in CLUSTERS.items():
        cluster = Cluster(machines, each, INSIDE, between)
        seconds = step_time(step, split_buckets(sizes), cluster)
        rows.append(
            dict(
                model=source.name,
                gpus=gpus,
                step_ms=1e3 * seconds,
                efficiency=total / seconds,
                clips_per_s=gpus * args.gpu_batch / seconds,
            )
        )
    return rows


def write_table(rows: list[dict], columns: dict[str, tuple[str, str]]) -> str:
    """Write rows as a Markdown table; ``columns`` has heading -> key and format."""
    lines = [{name: format(row[key], how) for name, (key, how) in columns.items()} for row in rows]
    return markdown_table(list(columns), lines)


def main() -> None:
    args = parse_args()
    check_json_output(args.out, args.overwrite)
    sources = read_models(args.models)
    measured = [check_here(source, args) for source in sources]
    print(f'Here: processes of one thread, gloo; medians of {args.runs}\n')
    print(write_table(measured, HERE))
    assumed = 'as given' if args.gpu_ms else f'assumed: {SHARE:.0%} of an A100'
    print(f'On paper: {args.gpu_batch} clips a GPU, their step {assumed}; {args.gb_per_s:g} GB/s between machines\n')
    paper = [row for source in sources for row in predict(source, args)]
    print(write_table(paper, PAPER), end='')
    if args.out is not None:
        write_json(args.out, dict(here=measured, on_paper=paper))


if __name__ == '__main__':
    cli.run(main)
