"""What mim reads."""

import yaml

from tests.helpers import REPO


def test_the_model_index_lists_what_there_is():
    """As mim reads it: the index imports files whose models are in their collections and have a config."""
    index = yaml.safe_load((REPO / 'model-index.yml').read_text())
    names = []
    for path in index['Import']:
        content = yaml.safe_load((REPO / path).read_text())
        collections = {collection['Name'] for collection in content['Collections']}
        assert all((REPO / collection['README']).is_file() for collection in content['Collections'])
        for model in content['Models']:
            assert model['In Collection'] in collections
            assert (REPO / model['Config']).is_file()
            assert 'Weights' not in model  # there are none
            for result in model.get('Results', ()):
                assert all(metric.endswith('(paper)') for metric in result['Metrics'])
            names.append(model['Name'])
    assert sorted(names) == sorted(
        path.stem for path in (REPO / 'configs').glob('*.py') if not path.stem.endswith('_motion')
    )
