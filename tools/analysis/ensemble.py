"""Average the predictions of several models that tools/test.py --dump has saved, and measure them."""

import argparse

from mmdualformer import cli
from mmdualformer.analysis import average_scores, evaluate_scores, load_predictions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('predictions', nargs='+', help='.pkl files of the same videos')
    parser.add_argument('--weights', nargs='+', type=float, help='weight of each file (default: equal)')
    args = parser.parse_args()
    predictions = [load_predictions(path) for path in args.predictions]
    ensemble = average_scores(predictions, args.weights)
    for name, samples in [*zip(args.predictions, predictions), ('average', ensemble)]:
        print(f'{name}: ' + ', '.join(f'{key} {value:.2%}' for key, value in evaluate_scores(samples).items()))


if __name__ == '__main__':
    cli.run(main)
