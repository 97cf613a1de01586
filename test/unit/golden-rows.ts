/** Rows outlive processes: golden files hold their bytes. GOLDEN=write makes them anew, after a format change only. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { MemoryRows } from './row-fixture.ts'

/** Fails the test unless the rows are those of the file; returns the rows as the file holds them. */
export function golden(name: string, rows: MemoryRows): MemoryRows {
  const file = new URL(`../golden/rows/${name}-1.json`, import.meta.url)
  const shown = [...rows.rows].map(([key, value]) => [key, Buffer.from(value).toString('hex')] as const)
  shown.sort(([a], [b]) => (a < b ? -1 : 1))
  if (process.env.GOLDEN === 'write') writeFileSync(file, `${JSON.stringify(shown, null, 1)}\n`)
  const kept = JSON.parse(readFileSync(file, 'utf8')) as [string, string][]
  assert.deepEqual(shown, kept)
  const loaded = new MemoryRows()
  for (const [key, hex] of kept) loaded.rows.set(key, new Uint8Array(Buffer.from(hex, 'hex')))
  return loaded
}
