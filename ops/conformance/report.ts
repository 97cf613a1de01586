/**
 * `npm run conformance:report -- <result file> [--write]`: what a run of the suite said, as ops/conformance.md.
 *
 * It prints what the result file has and the reasons of reasons.ts; a test that did not pass and has no reason there is
 * shown as unexplained.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { reasonOf } from './reasons.ts'
import { byArea, type ConformanceResult, parseResult, type TestResult, tallyOf } from './results.ts'

const reportFile = join(dirname(fileURLToPath(import.meta.url)), '../conformance.md')

/** The whole report, Markdown. */
export function renderReport(result: ConformanceResult): string {
  const { versions, suite, tests, filter } = result
  const all = tallyOf(tests)
  const open = tests.filter((test) => test.outcome !== 'passed')
  const unexplained = open.filter((test) => reasonOf(test) === undefined)
  return [
    '# ceph/s3-tests against the local federation',
    '',
    'Written by `npm run conformance:report` from a result file of `npm run conformance`; not by hand.',
    '',
    ...fields({
      Date: result.date,
      Suite: `${suite.name} ${suite.revision}, ${(suite.files ?? []).join(', ')}`,
      Bundescloud: versions.bundescloud,
      With: `Node ${versions.node}, Python ${versions.python}, pytest ${versions.pytest}, boto3 ${versions.boto3}`,
      Took: `${Math.round(result.durationMs / 1_000)} s`,
      ...(filter === undefined ? {} : { 'Only tests that fit': `\`${filter}\`` }),
    }),
    `**${tests.length} tests: ${all.passed} passed, ${all.failed} failed, ${all.skipped} skipped by the suite.** ` +
      `Of those that did not pass ${unexplained.length} are unexplained.`,
    '',
    ...areaTable(tests),
    '',
    ...(unexplained.length === 0 ? [] : ['## Unexplained', '', ...unexplained.map(line), '']),
    ...explained(open),
  ].join('\n')
}

/** Columns of one width each, numbers to the right: as the formatter of this repository wants them. */
function areaTable(tests: readonly TestResult[]): string[] {
  const rows = byArea(tests).map(({ area, tests: own }) => {
    const { passed, failed, skipped } = tallyOf(own)
    return { area, numbers: [passed, failed, skipped].map(String) }
  })
  const heads = ['passed', 'failed', 'skipped']
  const width = Math.max(4, ...rows.map((row) => row.area.length))
  const line = (first: string, cells: readonly string[]): string =>
    `| ${first} | ${cells.map((cell, at) => cell.padStart(heads[at]?.length ?? 0)).join(' | ')} |`
  return [
    line('area'.padEnd(width), heads),
    line(
      '-'.repeat(width),
      heads.map((head) => `${'-'.repeat(head.length - 1)}:`),
    ),
    ...rows.map(({ area, numbers }) => line(area.padEnd(width), numbers)),
  ]
}

function fields(values: Readonly<Record<string, string>>): string[] {
  return [...Object.entries(values).map(([name, value]) => `- ${name}: ${value}`), '']
}

/** A section per reason, the one with the most tests first. */
function explained(open: readonly TestResult[]): string[] {
  const groups = new Map<string, TestResult[]>()
  for (const test of open) {
    const reason = reasonOf(test)
    if (reason !== undefined) groups.set(reason, [...(groups.get(reason) ?? []), test])
  }
  if (groups.size === 0) return []
  const sorted = [...groups].sort((a, b) => b[1].length - a[1].length)
  return [
    '## Explained',
    '',
    ...sorted.flatMap(([reason, tests]) => [
      `${reason} (${tests.length} ${tests.every((test) => test.outcome === 'skipped') ? 'skipped' : 'failed'})`,
      '',
      ...tests.map((test) => `- ${nameOf(test)}`),
      '',
    ]),
  ]
}

function line(test: TestResult): string {
  const error = (test.error ?? 'no error was noted').replaceAll('`', "'")
  const phase = test.phase === undefined || test.phase === 'call' ? '' : ` in ${test.phase}`
  return `- ${nameOf(test)} ${test.outcome}${phase}: \`${error}\`${test.where === undefined ? '' : ` (${test.where})`}`
}

/** The function alone where the file is the big one. */
function nameOf(test: TestResult): string {
  return `\`${test.id.replace('test_s3.py::', '')}\``
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [file, write] = process.argv.slice(2)
  if (file === undefined) {
    process.stderr.write('usage: npm run conformance:report -- <result file> [--write]\n')
    process.exit(2)
  }
  const report = renderReport(parseResult(readFileSync(file, 'utf8')))
  if (write === '--write') writeFileSync(reportFile, report)
  else process.stdout.write(report)
}
