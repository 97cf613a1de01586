/**
 * The one test command: static checks, then every `*.test.ts` under test/, then one closing line.
 *
 *   npm test                    everything
 *   npm test -- unit            one group: check, unit or cluster
 *   npm test -- raft sigv4      test files whose path contains one of the words
 *
 * Invariant: nobody lists test files by hand, and a run that executes no test fails. Files under the folders of
 * `clusterFolders` start real processes and run one at a time; all others run side by side.
 */
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Folders under test/ whose tests start whole federations: they own the machine while they run. */
const clusterFolders = new Set(['cluster', 'fault', 'clients'])

export const runLimits = {
  /** Two cores is what CI has; more files at once only make timeouts more likely. */
  unitFilesAtOnce: 2,
  /** A hung unit test must not eat CI's time. */
  unitTimeoutMs: 300_000,
  /** One cluster test may start a federation, lose a site and wait for repair. */
  clusterTimeoutMs: 900_000,
} as const

export interface Tally {
  passed: number
  failed: number
  skipped: number
}

type Group = 'unit' | 'cluster'

/** Every `*.test.ts` under `folder`, sorted, absolute. */
export function findTestFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.test.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
}

/** The group of a test file, by the folder under `testFolder` that it lies in. */
export function groupOf(testFolder: string, file: string): Group {
  const first = relative(testFolder, file).split(sep)[0] ?? ''
  return clusterFolders.has(first) ? 'cluster' : 'unit'
}

/** Runs `files` under node:test, reports to standard output, adds to `tally`. A file without a test is a failure. */
export async function runFiles(files: readonly string[], group: Group, tally: Tally): Promise<void> {
  if (files.length === 0) return
  const stream = run({
    files: [...files],
    concurrency: group === 'unit' ? runLimits.unitFilesAtOnce : 1,
    timeout: group === 'unit' ? runLimits.unitTimeoutMs : runLimits.clusterTimeoutMs,
    execArgv: ['--import', 'tsx'],
    cwd: root,
  })
  const paths = new Set(files)
  let failedSuites = 0
  stream.on('test:pass', (event) => {
    // node:test reports a file that registered no test as one passed test with the file's name.
    const empty = event.nesting === 0 && paths.has(event.name)
    const unexplained = event.skip === true || event.skip === ''
    if (!empty && !unexplained) return
    const bucket = empty ? 'passed' : 'skipped'
    tally[bucket] -= 1
    tally.failed += 1
    const fault = empty ? 'holds no test' : `is skipped without a reason in ${event.file ?? 'a test file'}`
    process.stdout.write(`✖ ${relative(root, event.name)} ${fault}\n`)
  })
  stream.on('test:fail', (event) => {
    if (event.details.type === 'suite') failedSuites += 1
  })
  stream.on('test:summary', (summary) => {
    if (summary.file !== undefined) return
    const { tests, passed, skipped, todo } = summary.counts
    const failed = tests - passed - skipped - todo
    tally.passed += passed
    tally.skipped += skipped + todo
    // A suite may fail in a hook although each of its tests passed.
    tally.failed += failed === 0 && failedSuites > 0 ? 1 : failed
  })
  const report = stream.compose(new spec())
  for await (const chunk of report) process.stdout.write(chunk as Buffer)
}

/** Runs one static check as one test: it passes when the command exits 0. */
async function runCheck(name: string, command: readonly string[], tally: Tally): Promise<void> {
  const [program = '', ...args] = command
  const code = await new Promise<number>((resolve, reject) => {
    const child = spawn(process.execPath, [join(root, program), ...args], { cwd: root, stdio: 'inherit' })
    child.once('error', reject)
    child.once('exit', (exitCode) => resolve(exitCode ?? 1))
  })
  process.stdout.write(code === 0 ? `✔ ${name}\n` : `✖ ${name}\n`)
  if (code === 0) tally.passed += 1
  else tally.failed += 1
}

export function closingLine(tally: Tally): string {
  return `${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`
}

async function main(words: readonly string[]): Promise<void> {
  const testFolder = join(root, 'test')
  const groups = words.filter((word) => ['check', 'unit', 'cluster'].includes(word))
  const names = words.filter((word) => !groups.includes(word))
  const files = findTestFiles(testFolder).filter(
    (file) => names.length === 0 || names.some((name) => relative(root, file).includes(name)),
  )
  const wants = (group: string): boolean => groups.length === 0 || groups.includes(group)
  const tally: Tally = { passed: 0, failed: 0, skipped: 0 }
  if (wants('check') && names.length === 0) {
    await runCheck('types hold (tsc)', ['node_modules/typescript/bin/tsc', '--noEmit'], tally)
    await runCheck(
      'format and lint are clean (biome)',
      ['node_modules/@biomejs/biome/bin/biome', 'check', '.'],
      tally,
    )
  }
  for (const group of ['unit', 'cluster'] as const) {
    if (wants(group))
      await runFiles(
        files.filter((file) => groupOf(testFolder, file) === group),
        group,
        tally,
      )
  }
  if (tally.passed + tally.failed === 0) {
    process.stdout.write('no test was executed: that is a failure\n')
    process.exitCode = 1
  }
  if (tally.failed > 0) process.exitCode = 1
  process.stdout.write(`\n${closingLine(tally)}\n`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2))
