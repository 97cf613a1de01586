import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createHome, type Home, missing } from './client-run.ts'
import { type Conformance, startConformance } from './harness.ts'

const skip = missing('python3', ['-c', 'import boto3']) === undefined ? false : 'boto3 is not installed'
let at: Conformance
let home: Home
before(async () => {
  at = await startConformance()
  home = createHome(at)
})
after(async () => {
  home.remove()
  await at.close()
})

test('boto3: objects, checksums, parts, copies, presigned URLs, conditions and pages with its defaults', {
  skip,
}, async () => {
  const script = fileURLToPath(new URL('boto3_round_trip.py', import.meta.url))
  assert.equal((await home.run('python3', [script, await at.bucket()])).trim(), 'done')
})
