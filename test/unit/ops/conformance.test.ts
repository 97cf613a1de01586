import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { reasonOf } from '../../../ops/conformance/reasons.ts'
import { renderReport } from '../../../ops/conformance/report.ts'
import {
  areaOf,
  type ConformanceResult,
  parseLines,
  parseResult,
  renderSummary,
  type TestResult,
} from '../../../ops/conformance/results.ts'
import { inspectSuite, setsOf, suiteSettings } from '../../../ops/conformance/suite.ts'
import { conformanceSets } from '../../../ops/dev/conformance.ts'
import { type DevFile, openDevFile } from '../../../ops/dev/dev-file.ts'
import type { FederationFile } from '../../../ops/dev/federation-file.ts'
import { layoutOf } from '../../../ops/dev/layout.ts'

const folder = mkdtempSync(join(tmpdir(), 'bundescloud-conformance-'))
after(() => rmSync(folder, { recursive: true }))

function fileOf({ users, kmsKeyNames, region }: DevFile): FederationFile {
  const gateway = { pid: 1, adminUrl: 'http://127.0.0.1:1' }
  return { endpoint: 'http://127.0.0.1:9100', region, users, kmsKeyNames, gateway, nodes: [] }
}

test('--conformance adds users and key names to a federation that exists, once, and keeps what was there', async () => {
  const layout = layoutOf(join(folder, 'added'))
  const plain = await openDevFile(layout, { port: 0 })
  const first = await openDevFile(layout, { conformance: true })
  assert.deepEqual(first.users.slice(0, 2), plain.users)
  assert.equal(first.users.length, 2 + 6 * conformanceSets)
  assert.equal(new Set(first.users.map((user) => user.accessKeyId)).size, first.users.length)
  assert.equal(new Set(first.users.map((user) => user.userId)).size, first.users.length)
  assert.deepEqual(first.kmsKeyNames, ['testkey-1', 'testkey-2'])
  assert.deepEqual(await openDevFile(layout, { conformance: true }), first)
  assert.deepEqual(await openDevFile(layout, {}), first)
})

test('roots of accounts have ids of 12 digits', async () => {
  const dev = await openDevFile(layoutOf(join(folder, 'roots')), { port: 0, conformance: true })
  const roots = dev.users.filter((user) => /^iam(alt)?root/.test(user.name))
  assert.equal(roots.length, 2 * conformanceSets)
  for (const root of roots) assert.match(root.userId, /^\d{12}$/)
})

test('settings of the suite name one set of users each, and a federation without them is refused', async () => {
  const dev = await openDevFile(layoutOf(join(folder, 'settings')), { port: 0, conformance: true })
  const file = fileOf(dev)
  assert.equal(setsOf(file), conformanceSets)
  const keyOf = (name: string): string => dev.users.find((user) => user.name === name)?.accessKeyId ?? '?'
  const first = suiteSettings(file, 1)
  const second = suiteSettings(file, 2)
  assert.match(first, new RegExp(`\\[s3 main\\]\naccess_key = ${keyOf('main')}\n`))
  assert.match(second, new RegExp(`\\[iam alt root\\]\naccess_key = ${keyOf('iamaltroot-2')}\n`))
  assert.match(first, /host = 127\.0\.0\.1\nport = 9100\nis_secure = False/)
  assert.match(first, /kms_keyid = testkey-1\nkms_keyid2 = testkey-2/)
  const keys = new Set(first.match(/access_key = \w+/g))
  assert.equal(keys.size, 6)
  assert.equal([...keys].filter((line) => second.includes(line)).length, 0)
  const plain = fileOf({ ...dev, users: dev.users.slice(0, 2) })
  assert.equal(setsOf(plain), 0)
  assert.throws(() => suiteSettings(plain, 1), /no user main: start it with `npm start -- --conformance`/)
})

test('a folder that is not the suite is named', () => {
  assert.throws(() => inspectSuite(folder, ['test_s3.py'], 'python3'), /not a checkout of ceph\/s3-tests/)
})

const passed = {
  id: 'test_s3.py::test_bucket_list_empty',
  markers: [],
  outcome: 'passed',
  durationMs: 5,
}
const failed: TestResult = {
  ...passed,
  id: 'test_s3.py::test_cors_origin_response',
  outcome: 'failed',
  phase: 'call',
  error: 'AssertionError: assert 1 == 2',
}

test('a line that the end of a process cut off is left out, a whole one that is none of ours is refused', () => {
  const text = `${JSON.stringify(passed)}\n${JSON.stringify(failed).slice(0, 20)}`
  assert.deepEqual(parseLines(text), [passed])
  assert.throws(() => parseLines('{"id":"x"}\n'))
  assert.deepEqual(parseLines(''), [])
})

function resultOf(tests: readonly unknown[]): ConformanceResult {
  return parseResult(
    JSON.stringify({
      format: 1,
      date: '2026-01-01T00:00:00.000Z',
      durationMs: 1,
      suite: { name: 'ceph/s3-tests', revision: 'abc', files: ['test_s3.py'] },
      versions: { bundescloud: 'def', node: '20', python: '3', pytest: '9', boto3: '1' },
      tests,
    }),
  )
}

test('tests are counted by area, markers before names', () => {
  assert.equal(areaOf({ id: 'test_s3.py::test_lifecycle_get', markers: ['lifecycle'] }), 'lifecycle')
  assert.equal(areaOf({ id: 'test_s3.py::test_put_tags', markers: ['bucket_logging'] }), 'bucket logging')
  assert.equal(areaOf({ id: 'test_headers.py::test_object_create_bad_md5_none', markers: [] }), 'headers')
  const result = resultOf([passed, failed])
  const lines = renderSummary(result).split('\n')
  assert.deepEqual(
    lines.map((line) => line.trim().split(/\s{2,}/)),
    [['passed failed skipped'], ['CORS', '0', '1', '0'], ['listings', '1', '0', '0'], ['all', '1', '1', '0']],
  )
})

test('the report has totals and every test that did not pass, and says which ones nobody has explained', () => {
  const retired = {
    ...failed,
    id: 'test_headers.py::test_object_create_bad_ua_empty_aws2',
    error: 'InvalidRequest: Please use AWS4-HMAC-SHA256.',
  }
  const report = renderReport(resultOf([passed, failed, retired]))
  assert.match(report, /\*\*3 tests: 1 passed, 2 failed, 0 skipped by the suite\.\*\* .* 1 are unexplained/)
  const [, open = '', known = ''] = report.split(/## Unexplained|## Explained/)
  assert.match(open, /`test_cors_origin_response` failed: `AssertionError: assert 1 == 2`/)
  assert.match(known, /retired.*\(1 failed\)\n\n- `test_headers\.py::test_object_create_bad_ua_empty_aws2`/)
  assert.equal(report.includes('test_bucket_list_empty'), false)
})

test('a reason explains an outcome, not a test: another error of the same test is unexplained', () => {
  const test = { ...failed, id: 'test_s3.py::test_list_buckets_anonymous' }
  assert.match(reasonOf({ ...test, error: 'AccessDenied: An error occurred' }) ?? '', /Ceph/)
  assert.equal(reasonOf({ ...test, error: 'ClientError: An error occurred (InternalError)' }), undefined)
})
