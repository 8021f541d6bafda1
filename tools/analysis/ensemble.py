"""Average the predictions of several models that `mmdualformer test --dump` has saved, and measure them."""

import json

from mmdualformer import cli
from mmdualformer.analysis import average_scores, evaluate_scores, load_predictions
from mmdualformer.files import check_target, write_atomically


def main() -> None:
    parser = cli.ArgumentParser(description=__doc__)
    parser.add_argument('predictions', nargs='+', help='.pkl files of the same videos')
    parser.add_argument('--weights', nargs='+', type=float, help='weight of each file (default: equal)')
    cli.add_out_arguments(parser, metavar='FILE.json', help='save the metrics here too')
    args = parser.parse_args()
    if args.out:
        check_target(args.out, args.overwrite)
    predictions = [load_predictions(path) for path in args.predictions]
    ensemble = average_scores(predictions, args.weights)
    metrics = {name: _measure(samples) for name, samples in zip(args.predictions, predictions)}
    average = _measure(ensemble)
    for name, values in [*metrics.items(), ('average', average)]:
        print(f'{name}: ' + ', '.join(f'{key} {value:.2%}' for key, value in values.items()))
    if args.out:
        with write_atomically(args.out) as partial:
            partial.write_text(json.dumps(dict(predictions=metrics, weights=args.weights, average=average), indent=2))


def _measure(samples: list[dict]) -> dict[str, float]:
    return {key: float(value) for key, value in evaluate_scores(samples).items()}


if __name__ == '__main__':
    cli.run(main)
