/**
 * A checkout of ceph/s3-tests and the Python that runs it: what must be there, and the settings that it reads.
 *
 * Nothing of the suite is kept in this repository; what is missing is named with the way to get it.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type ConformanceRole, conformanceDaySeconds, conformanceUserName } from '../dev/conformance.ts'
import type { FederationFile } from '../dev/federation-file.ts'

const suiteFolder = 's3tests/functional'

/** The parts of the suite that speak S3 alone. */
export const suiteFiles = ['test_s3.py', 'test_headers.py'] as const

/** Where pytest finds a part, relative to the checkout. */
export function pathInSuite(file: string): string {
  return `${suiteFolder}/${file}`
}

/** What these files import. */
const pythonModules = [
  'pytest',
  'boto3',
  'botocore',
  'munch',
  'requests',
  'pytz',
  'isodate',
  'httplib2',
  'lxml',
  'dateutil',
] as const

export interface SuiteVersions {
  /** Commit of the checkout, `-dirty` when files differ from it; `unknown` when it is not a checkout. */
  readonly revision: string
  readonly python: string
  readonly pytest: string
  readonly boto3: string
}

/** Checks suite and Python; throws an Error that says what to do when something is missing. */
export function inspectSuite(folder: string, files: readonly string[], python: string): SuiteVersions {
  for (const file of files) {
    if (!existsSync(join(folder, pathInSuite(file)))) {
      throw new Error(`${folder} is not a checkout of ceph/s3-tests: it has no ${pathInSuite(file)}`)
    }
  }
  const lacking = missingModules(python)
  if (lacking.length > 0) {
    throw new Error(
      `${python} lacks ${lacking.join(', ')}: make an environment with \`python3 -m venv <folder>\` and ` +
        '`<folder>/bin/pip install -r <suite>/requirements.txt`, then add --python <folder>/bin/python',
    )
  }
  const [version = '', pytest = '', boto3 = ''] = run(python, [
    '-c',
    'import platform, pytest, boto3; print(platform.python_version(), pytest.__version__, boto3.__version__)',
  ]).split(' ')
  return { revision: revisionOf(folder), python: version, pytest, boto3 }
}

/** Commit of a checkout, marked when it was changed. */
export function revisionOf(folder: string): string {
  const head = spawnSync('git', ['-C', folder, 'rev-parse', 'HEAD'], { encoding: 'utf8' })
  if (head.status !== 0) return 'unknown'
  const changes = spawnSync('git', ['-C', folder, 'status', '--porcelain', '--untracked-files=no'], {
    encoding: 'utf8',
  })
  return `${head.stdout.trim()}${changes.stdout.trim() === '' ? '' : '-dirty'}`
}

function missingModules(python: string): string[] {
  const script =
    'import importlib.util, sys; print(" ".join(m for m in sys.argv[1:] if importlib.util.find_spec(m) is None))'
  return run(python, ['-c', script, ...pythonModules])
    .split(' ')
    .filter((name) => name !== '')
}

function run(program: string, args: readonly string[]): string {
  const done = spawnSync(program, [...args], { encoding: 'utf8' })
  if (done.error !== undefined)
    throw new Error(`cannot run ${program}: ${done.error.message}; name a Python with --python`)
  if (done.status !== 0) throw new Error(`${program} failed: ${done.stderr.trim()}`)
  return done.stdout.trim()
}

/** Sets of users in a federation, counted by their main users. */
export function setsOf(file: FederationFile): number {
  const names = new Set(file.users.map((user) => user.name))
  let sets = 0
  while (names.has(conformanceUserName('main', sets + 1))) sets += 1
  return sets
}

/** The suite's settings file for one set of users: it holds their secret keys. Throws when the federation lacks them. */
export function suiteSettings(file: FederationFile, set: number): string {
  const user = (role: ConformanceRole): FederationFile['users'][number] => {
    const name = conformanceUserName(role, set)
    const found = file.users.find((candidate) => candidate.name === name)
    if (found === undefined) {
      throw new Error(`the federation has no user ${name}: start it with \`npm start -- --conformance\``)
    }
    return found
  }
  const { hostname, port, protocol } = new URL(file.endpoint)
  const person = (role: ConformanceRole): string[] => [
    `access_key = ${user(role).accessKeyId}`,
    `secret_key = ${user(role).secretAccessKey}`,
    `email = ${user(role).email ?? ''}`,
    `user_id = ${user(role).userId}`,
    `display_name = ${user(role).name}`,
  ]
  return [
    '[DEFAULT]',
    `host = ${hostname}`,
    `port = ${port === '' ? (protocol === 'https:' ? 443 : 80) : port}`,
    `is_secure = ${protocol === 'https:' ? 'True' : 'False'}`,
    'ssl_verify = False',
    '[fixtures]',
    `bucket prefix = bc${set}-{random}-`,
    `iam name prefix = bc${set}-`,
    `iam path prefix = /bc${set}/`,
    '[s3 main]',
    ...person('main'),
    // A name that GetBucketLocation shows: us-east-1 has none, and the suite then leaves its test out.
    `api_name = ${file.region === 'us-east-1' ? '' : file.region}`,
    `kms_keyid = ${file.kmsKeyNames[0] ?? ''}`,
    `kms_keyid2 = ${file.kmsKeyNames[1] ?? ''}`,
    `lc_debug_interval = ${conformanceDaySeconds}`,
    '[s3 alt]',
    ...person('alt'),
    '[s3 tenant]',
    ...person('tenant'),
    `tenant = ${user('tenant').userId}`,
    '[iam]',
    ...person('iam'),
    '[iam root]',
    ...person('iamroot'),
    '[iam alt root]',
    ...person('iamaltroot'),
    '',
  ].join('\n')
}
