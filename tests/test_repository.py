"""The files around the package: those of contributors and of CI."""

import re

import pytest
import yaml

from mmdualformer.version import __version__
from tests.helpers import REPO


def load(name: str):
    return yaml.safe_load((REPO / name).read_text(encoding='utf-8'))


def pinned(package: str) -> str:
    return re.search(rf'^{package}==(\S+)', (REPO / 'constraints.txt').read_text(encoding='utf-8'), re.M)[1]


@pytest.mark.parametrize('name', ['bug_report', 'feature_request'])
def test_issue_forms_have_what_they_must_have(name):
    form = load(f'.github/ISSUE_TEMPLATE/{name}.yml')
    assert form['name'] and form['description']
    assert all(field['attributes']['label'] for field in form['body'])
    assert len({field['id'] for field in form['body']}) == len(form['body'])


def test_the_workflow_runs_the_command_of_the_readme():
    (job,) = load('.github/workflows/tests.yml')['jobs'].values()
    (command,) = (step['run'] for step in job['steps'] if 'run' in step)
    readme = (REPO / 'README.md').read_text(encoding='utf-8')
    assert f'## Tests\n\n```bash\n{command}\n```' in readme
    assert job['runs-on'] == 'ubuntu-latest'
    assert [step['with']['python-version'] for step in job['steps'] if 'with' in step] == ['3.11']


def test_pre_commit_runs_the_ruff_of_ci():
    (repo,) = load('.pre-commit-config.yaml')['repos']
    assert repo['rev'] == f'v{pinned("ruff")}'


def test_the_wheel_is_built_by_the_setuptools_of_ci():
    requires = re.search(r'^requires = \[(.*?)\]', (REPO / 'pyproject.toml').read_text(encoding='utf-8'), re.M)[1]
    assert requires == f'"setuptools=={pinned("setuptools")}"'


def test_the_citation_names_title_authors_and_version():
    citation = load('CITATION.cff')
    assert citation['title'] and citation['message'] and citation['authors']
    assert citation['version'] == __version__
    assert f'## [{__version__}]' in (REPO / 'CHANGELOG.md').read_text(encoding='utf-8')
    assert all(reference['title'] and reference['authors'] for reference in citation['references'])


@pytest.mark.parametrize('page', ['CONTRIBUTING.md', 'CHANGELOG.md'])
def test_files_that_are_named_exist(page):
    """Names with a folder or an ending, alone or in a command; ``<model>`` and the like stand for any."""
    text = (REPO / page).read_text(encoding='utf-8')
    words = [word for code in re.findall(r'`([^`\n]+)`', text) for word in code.split()]
    names = [word for word in words if re.fullmatch(r'[\w.-]+(/[\w.-]*)+|[\w-]+\.(cff|md|sh|toml|txt|yml)', word)]
    assert len(names) >= 5
    assert not [name for name in names if not (REPO / name).exists()]


def test_commits_that_blame_skips_are_named_by_their_full_hash():
    """Git stops at anything else."""
    lines = (REPO / '.git-blame-ignore-revs').read_text(encoding='utf-8').splitlines()
    hashes = [line for line in lines if not line.startswith('#')]
    assert hashes and all(re.fullmatch('[0-9a-f]{40}', line) for line in hashes)
