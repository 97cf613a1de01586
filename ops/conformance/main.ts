/**
 * `npm run conformance -- <suite>`: a public S3 conformance suite (a checkout of ceph/s3-tests) against a federation.
 *
 * Starts one for the run unless one is named. Exit code 0 says that the run took place, not that everything passed:
 * the result file says what did.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command, InvalidArgumentError } from 'commander'
import { conformanceDaySeconds, conformanceSets } from '../dev/conformance.ts'
import { isControlled } from '../dev/control.ts'
import { type FederationFile, parseFederationFile, readFederationFile } from '../dev/federation-file.ts'
import { layoutOf } from '../dev/layout.ts'
import { LocalFederation } from '../dev/local-federation.ts'
import { runPytest } from './pytest-runs.ts'
import { type ConformanceResult, renderSummary, type TestResult } from './results.ts'
import { inspectSuite, revisionOf, setsOf, suiteFiles } from './suite.ts'

interface Options {
  readonly dataDir?: string
  readonly federation?: string
  readonly port: number
  readonly files: readonly string[]
  readonly filter?: string
  readonly python: string
  readonly out: string
  readonly processes: number
  readonly keep?: boolean
}

/** A federation to run against, and how to leave it as it was found. */
interface Target {
  readonly file: FederationFile
  leave(): Promise<void>
}

const checkout = join(dirname(fileURLToPath(import.meta.url)), '../..')
const say = (line: string): void => void process.stdout.write(`${line}\n`)

async function runConformance(suite: string, options: Options): Promise<void> {
  const versions = inspectSuite(suite, options.files, options.python)
  const folder = mkdtempSync(join(tmpdir(), 'bundescloud-conformance-'))
  const remove = (): void => {
    if (!options.keep) rmSync(folder, { recursive: true, force: true })
  }
  // Ends the test processes, too (pytest-runs.ts); those of the federation are tethered.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130))
  process.once('exit', remove)
  try {
    const target = await openTarget(options, folder)
    try {
      const started = Date.now()
      const tests = await runSuite(suite, options, { folder, file: target.file })
      const { revision, ...tools } = versions
      const result: ConformanceResult = {
        format: 1,
        date: new Date(started).toISOString(),
        durationMs: Date.now() - started,
        suite: { name: 'ceph/s3-tests', revision, files: [...options.files] },
        versions: { bundescloud: revisionOf(checkout), node: process.version.slice(1), ...tools },
        ...(options.filter === undefined ? {} : { filter: options.filter }),
        tests,
      }
      writeFileSync(options.out, `${JSON.stringify(result, null, 1)}\n`)
      say(`\n${renderSummary(result)}\n\n${options.out} holds every test`)
    } finally {
      await target.leave()
    }
  } finally {
    remove()
    if (options.keep) say(`logs and settings, secret keys among them, stay in ${folder}`)
  }
}

/** Runs the tests and says what fails as it fails. Throws when the filter leaves no test. */
async function runSuite(
  suite: string,
  options: Options,
  { folder, file }: { folder: string; file: FederationFile },
): Promise<TestResult[]> {
  const processes = Math.min(options.processes, setsOf(file))
  if (processes === 0) {
    throw new Error('the federation has no users for a suite: start it with `npm start -- --conformance`')
  }
  say(`${options.files.join(', ')} of ${suite}, ${processes} processes, against ${file.endpoint}`)
  let done = 0
  const tests = await runPytest({
    suite: resolve(suite),
    python: options.python,
    files: options.files,
    file,
    folder: join(folder, 'run'),
    processes,
    filter: options.filter,
    onResult: (test) => {
      done += 1
      if (test.outcome === 'failed') say(`${done} ✖ ${test.id} ${test.where ?? ''} ${test.error ?? ''}`)
      else if (done % 50 === 0) say(`${done} tests done`)
    },
  })
  if (tests.length === 0) throw new Error('no test was run: does the filter fit any?')
  return tests
}

/** The federation that was named, the one that serves from the data directory, or a new one. */
async function openTarget(options: Options, folder: string): Promise<Target> {
  const nothing = async (): Promise<void> => undefined
  if (options.federation !== undefined) {
    return { file: parseFederationFile(readFileSync(options.federation, 'utf8')), leave: nothing }
  }
  const dataDir = options.dataDir ?? join(folder, 'dev')
  const layout = layoutOf(dataDir)
  if (isControlled(layout.lockFile) && existsSync(layout.federationFile))
    return { file: readFederationFile(layout), leave: nothing }
  say('starting a federation ...')
  const federation = await LocalFederation.start({
    dataDir,
    port: options.port,
    conformance: true,
    // The suite takes CreateBucket to be repeatable, as AWS has it in this region only.
    region: 'us-east-1',
    nodeSettings: { lifecycleDaySeconds: conformanceDaySeconds },
    say: (line) => {
      if (/died/.test(line)) say(line)
    },
  })
  return { file: federation.file, leave: () => federation.stop() }
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('must be a whole number')
  return Number(text)
}

try {
  await new Command('conformance')
    .description('run a checkout of ceph/s3-tests against a federation and note every result')
    .argument('<suite>', 'folder of the checkout')
    .option('--data-dir <folder>', 'a federation that serves from there, or a place to start one')
    .option('--federation <file>', 'federation.json of one that serves')
    .option('--port <number>', 'for the federation that is started; 0: a free one', wholeNumber, 0)
    .option('--files <names...>', 'parts of the suite', [...suiteFiles])
    .option('--filter <expression>', "only tests that fit, as pytest's -k")
    .option('--python <program>', 'with what the suite needs', 'python3')
    .option('--out <file>', 'result file', 'conformance.json')
    .option('--processes <number>', 'side by side', wholeNumber, conformanceSets)
    .option('--keep', 'leave logs and settings behind')
    .action(runConformance)
    .parseAsync()
} catch (error) {
  process.stderr.write(`conformance: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
