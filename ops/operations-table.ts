/**
 * README's table of S3 operations, and the actions of IAM and STS, made from the gateway's own tables, so that it cannot promise anything else.
 *
 *   npm run operations:table              prints it
 *   npm run operations:table -- --write   puts it between the marks in README.md
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { iamActions } from '../gateway/iam/actions/index.ts'
import type { QueryAction } from '../gateway/iam/query-action.ts'
import type { Operation } from '../gateway/operation.ts'
import { operations } from '../gateway/operations/index.ts'
import { stsActions } from '../gateway/sts/actions.ts'

const readme = join(dirname(fileURLToPath(import.meta.url)), '../README.md')
const begin = '<!-- begin: npm run operations:table -- --write -->'
const end = '<!-- end of operations:table -->'

function stateOf(operation: Operation): string {
  if (operation.kind === 'planned') return 'answers 501'
  return operation.unused === true ? 'answers as for a bucket that does not use it' : 'implemented'
}

/** One row per operation, by name; how many there are of each state above it. */
export function operationsTable(rows: readonly Operation[] = operations): string {
  const sorted = [...rows].sort((a, b) => (a.name < b.name ? -1 : 1))
  const states = new Map<string, number>()
  for (const operation of sorted) states.set(stateOf(operation), (states.get(stateOf(operation)) ?? 0) + 1)
  const counts = [...states].sort((a, b) => b[1] - a[1]).map(([state, count]) => `${count} ${state}`)
  const cells = [
    ['operation', 'state', 'notes'],
    ...sorted.map((operation) => [operation.name, stateOf(operation), operation.note ?? '']),
  ]
  const widths = [0, 1, 2].map((column) => Math.max(3, ...cells.map((row) => row[column]?.length ?? 0)))
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  const [head = [], ...body] = cells
  return [
    `${sorted.length} operations: ${counts.join(', ')}.`,
    '',
    line(head),
    line(widths.map((width) => '-'.repeat(width))),
    ...body.map(line),
  ].join('\n')
}

/** What is spoken beside S3, on the same endpoint: names only, a paragraph for each service. */
export function actionsText(
  services: Readonly<Record<string, readonly QueryAction[]>> = { IAM: iamActions, STS: stsActions },
): string {
  return Object.entries(services)
    .map(([service, actions]) => {
      const names = actions.map((action) => action.name).sort()
      return `${service}, ${names.length} actions: ${names.join(', ')}.`
    })
    .join('\n\n')
}

/** All that README has between the marks. */
export function readmeText(): string {
  return `${operationsTable()}\n\n${actionsText()}`
}

/** The text with `table` between the marks. Throws when it has not both of them. */
export function withTable(text: string, table: string): string {
  const from = text.indexOf(begin)
  const to = text.indexOf(end)
  if (from < 0 || to < from) throw new Error(`README.md lacks the marks ${begin} and ${end}`)
  return `${text.slice(0, from + begin.length)}\n\n${table}\n\n${text.slice(to)}`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes('--write'))
    writeFileSync(readme, withTable(readFileSync(readme, 'utf8'), readmeText()))
  else process.stdout.write(`${readmeText()}\n`)
}
