/**
 * Several pytest processes over one suite: each with users and bucket prefix of its own, all of them drawing from one
 * heap of tests (observer.py).
 *
 * Invariant: every collected test ends up in the results once. A process that dies or hangs costs the test that it had,
 * which is noted as failed; another process takes its place.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FederationFile } from '../dev/federation-file.ts'
import { parseLines, type TestResult } from './results.ts'
import { pathInSuite, suiteSettings } from './suite.ts'

export const runLimits = {
  /** One phase of a test: some wait for twenty days of lifecycle, one cuts 15 MB of text into KiBs in Python. */
  testSeconds: 600,
  /** A process that notes nothing for this long hangs where its own alarm does not reach: set-up, test and clean-up. */
  silenceMs: 3 * 600_000 + 60_000,
  watchEveryMs: 1_000,
  /** Processes that die may be replaced this often altogether; a suite that kills more of them is not worth going on. */
  replacementsMax: 20,
} as const

const pluginFolder = dirname(fileURLToPath(import.meta.url))

export interface PytestRun {
  readonly suite: string
  readonly python: string
  /** Parts of the suite, e.g. `test_s3.py`. */
  readonly files: readonly string[]
  readonly file: FederationFile
  /** A private folder: settings with secrets, claims, results and logs go there. */
  readonly folder: string
  readonly processes: number
  /** pytest's -k. */
  readonly filter: string | undefined
  /** Called with every result as it is seen. */
  readonly onResult: (result: TestResult) => void
}

/** Runs them all; resolves with every test's result. Rejects when pytest cannot collect the suite. */
export async function runPytest(run: PytestRun): Promise<TestResult[]> {
  mkdirSync(join(run.folder, 'claims'), { recursive: true, mode: 0o700 })
  const workers = Array.from({ length: run.processes }, (_, index) => new Worker(run, index + 1))
  let replacements = 0
  await Promise.all(
    workers.map(async (worker) => {
      for (;;) {
        const how = await worker.runOnce()
        // 0: all passed, 1: some failed, 5: others had taken every test.
        if (how === 0 || how === 1 || how === 5) return
        if (worker.claimed().length === 0) throw new Error(`pytest ended with ${how}:\n${worker.logTail()}`)
        replacements += 1
        if (replacements > runLimits.replacementsMax) return
      }
    }),
  )
  const results = workers.flatMap((worker) => worker.results())
  const seen = new Set(results.map((result) => result.id))
  const lost = claimedTests(run.folder).filter((claim) => !seen.has(claim.id))
  return [
    ...results,
    ...lost.map(
      (claim): TestResult => ({
        ...claim,
        outcome: 'failed',
        phase: 'call',
        error: 'the test process ended during the test',
        durationMs: 0,
      }),
    ),
  ].sort((a, b) => (a.id < b.id ? -1 : 1))
}

/** What any process has begun. */
function claimedTests(folder: string): Pick<TestResult, 'id' | 'markers'>[] {
  return readdirSync(join(folder, 'claims')).flatMap((name) => {
    const text = readFileSync(join(folder, 'claims', name), 'utf8')
    // Empty: its process was killed between creating and writing it.
    return text === '' ? [] : [JSON.parse(text) as Pick<TestResult, 'id' | 'markers'>]
  })
}

/** One slot: a pytest process at a time, with one set of users. */
class Worker {
  readonly #run: PytestRun
  readonly #number: number
  readonly #resultsFile: string
  readonly #logFile: string
  #told = 0

  constructor(run: PytestRun, number: number) {
    this.#run = run
    this.#number = number
    this.#resultsFile = join(run.folder, `results-${number}.jsonl`)
    this.#logFile = join(run.folder, `pytest-${number}.log`)
    writeFileSync(this.#resultsFile, '', { mode: 0o600 })
  }

  /** Resolves with the exit code or the signal. */
  async runOnce(): Promise<number | string> {
    const { suite, python, files, file, folder, filter } = this.#run
    const settingsFile = join(folder, `suite-${this.#number}.conf`)
    writeFileSync(settingsFile, suiteSettings(file, this.#number), { mode: 0o600 })
    const log = openSync(this.#logFile, 'a', 0o600)
    const child = spawn(
      python,
      [
        ...['-m', 'pytest', '-p', 'observer', '-p', 'no:cacheprovider', '-q', '--tb=short', '--no-header'],
        ...(filter === undefined ? [] : ['-k', filter]),
        ...files.map(pathInSuite),
      ],
      {
        cwd: suite,
        stdio: ['ignore', log, log],
        env: {
          ...withoutAws(process.env),
          S3TEST_CONF: settingsFile,
          PYTHONPATH: pluginFolder,
          PYTHONDONTWRITEBYTECODE: '1',
          AWS_DEFAULT_REGION: file.region,
          AWS_CONFIG_FILE: '/dev/null',
          AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
          AWS_EC2_METADATA_DISABLED: 'true',
          BUNDESCLOUD_RESULTS: this.#resultsFile,
          BUNDESCLOUD_CLAIMS: join(folder, 'claims'),
          // Every other process begins with the tests that wait.
          BUNDESCLOUD_FROM: this.#number % 2 === 0 ? 'back' : 'front',
          BUNDESCLOUD_TEST_SECONDS: String(runLimits.testSeconds),
        },
      },
    )
    closeSync(log)
    return await this.#watch(child)
  }

  /** Tests of this slot that are done. */
  results(): TestResult[] {
    return existsSync(this.#resultsFile) ? parseLines(readFileSync(this.#resultsFile, 'utf8')) : []
  }

  claimed(): TestResult[] {
    return this.results()
  }

  logTail(): string {
    return readFileSync(this.#logFile, 'utf8').slice(-2_000)
  }

  async #watch(child: ChildProcess): Promise<number | string> {
    const started = Date.now()
    const timer = setInterval(() => {
      this.#tell()
      const quietSince = Math.max(started, statSync(this.#resultsFile).mtimeMs)
      if (Date.now() - quietSince > runLimits.silenceMs) child.kill('SIGKILL')
    }, runLimits.watchEveryMs)
    const stop = (): void => void child.kill('SIGKILL')
    process.once('exit', stop)
    try {
      return await new Promise<number | string>((resolve, reject) => {
        child.once('error', reject)
        child.once('exit', (code, signal) => resolve(signal ?? code ?? -1))
      })
    } finally {
      clearInterval(timer)
      process.off('exit', stop)
      this.#tell()
    }
  }

  #tell(): void {
    const results = this.results()
    for (const result of results.slice(this.#told)) this.#run.onResult(result)
    this.#told = results.length
  }
}

/** The environment without credentials and settings of the person who starts the run. */
function withoutAws(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('AWS_')))
}
