/**
 * README's table of S3 operations, made from the gateway's operation table, so that it cannot promise anything else.
 *
 *   npm run operations:table              prints it
 *   npm run operations:table -- --write   puts it between the marks in README.md
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Operation } from '../gateway/operation.ts'
import { operations } from '../gateway/operations/index.ts'

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

/** The text with `table` between the marks. Throws when it has not both of them. */
export function withTable(text: string, table: string): string {
  const from = text.indexOf(begin)
  const to = text.indexOf(end)
  if (from < 0 || to < from) throw new Error(`README.md lacks the marks ${begin} and ${end}`)
  return `${text.slice(0, from + begin.length)}\n\n${table}\n\n${text.slice(to)}`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes('--write'))
    writeFileSync(readme, withTable(readFileSync(readme, 'utf8'), operationsTable()))
  else process.stdout.write(`${operationsTable()}\n`)
}
