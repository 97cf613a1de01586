import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Operation } from '../../../gateway/operation.ts'
import { operations } from '../../../gateway/operations/index.ts'
import { actionsText, operationsTable, readmeText, withTable } from '../../../ops/operations-table.ts'

const readme = join(dirname(fileURLToPath(import.meta.url)), '../../../README.md')

test('the operations in README are those of the gateway (npm run operations:table -- --write)', () => {
  const text = readFileSync(readme, 'utf8')
  assert.ok(text === withTable(text, readmeText()), 'run: npm run operations:table -- --write')
})

test('every operation has one row, which tells planned ones and ones without effect from the others', () => {
  const lines = operationsTable().split('\n')
  for (const { name } of operations) {
    assert.equal(lines.filter((line) => line.startsWith(`| ${name} `)).length, 1, name)
  }
  const route = { method: 'GET', target: 'bucket', action: 's3:X' } as const
  const run = async (): Promise<{ status: number }> => ({ status: 200 })
  const rows: Operation[] = [
    { ...route, kind: 'planned', name: 'B' },
    { ...route, kind: 'bucket', name: 'A', body: 'none', run, note: 'only so' },
    { ...route, kind: 'bucket', name: 'C', body: 'none', run, unused: true },
  ]
  assert.equal(
    operationsTable(rows).replaceAll(/ +/g, ' '),
    [
      '3 operations: 1 implemented, 1 answers 501, 1 answers as for a bucket that does not use it.',
      '',
      '| operation | state | notes |',
      '| --------- | -------------------------------------------- | ------- |',
      '| A | implemented | only so |',
      '| B | answers 501 | |',
      '| C | answers as for a bucket that does not use it | |',
    ].join('\n'),
  )
})

test('a README without the marks is refused', () => {
  assert.throws(() => withTable('# Bundescloud\n', 'x'), /lacks the marks/)
})

test('actions of IAM and STS are named in order', () => {
  assert.match(
    actionsText(),
    /^IAM, \d+ actions: AddClientIDToOpenIDConnectProvider, .*\n\nSTS, \d+ actions: AssumeRole, /,
  )
})
