/**
 * The result file of a conformance run: what was run against what, and how every single test ended.
 *
 * It says what happened and nothing else: reasons are report.ts' business.
 */
import { z } from 'zod'

const testSchema = z.object({
  /** File and function, e.g. `test_s3.py::test_bucket_list_empty`. */
  id: z.string(),
  markers: z.array(z.string()),
  outcome: z.enum(['passed', 'failed', 'skipped']),
  /** When it failed in this part of it; a test whose clean-up fails has failed. */
  phase: z.enum(['setup', 'call', 'teardown']).optional(),
  /** First line of the error, or why it was skipped. */
  error: z.string().optional(),
  /** Innermost line of the suite. */
  where: z.string().optional(),
  durationMs: z.number(),
})

const resultSchema = z.object({
  format: z.literal(1),
  /** ISO 8601, when the run began. */
  date: z.string(),
  durationMs: z.number(),
  suite: z.object({
    name: z.literal('ceph/s3-tests'),
    revision: z.string(),
    files: z.array(z.string()).optional(),
  }),
  versions: z.object({
    bundescloud: z.string(),
    node: z.string(),
    python: z.string(),
    pytest: z.string(),
    boto3: z.string(),
  }),
  /** The expression that chose tests; absent: all of them. */
  filter: z.string().optional(),
  tests: z.array(testSchema),
})

export type TestResult = z.infer<typeof testSchema>
export type ConformanceResult = z.infer<typeof resultSchema>

export interface Tally {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

/** Throws when the text is not a result file. */
export function parseResult(text: string): ConformanceResult {
  return resultSchema.parse(JSON.parse(text))
}

/** Lines of a process's results file; a last line that was cut off by its end is left out. */
export function parseLines(text: string): TestResult[] {
  const whole = text.slice(0, text.lastIndexOf('\n') + 1)
  return whole
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => testSchema.parse(JSON.parse(line)))
}

export function tallyOf(tests: readonly TestResult[]): Tally {
  const count = (outcome: TestResult['outcome']): number =>
    tests.filter((test) => test.outcome === outcome).length
  return { passed: count('passed'), failed: count('failed'), skipped: count('skipped') }
}

/** Areas of S3, by the suite's markers, then by words in the test's name; the first that fits counts. */
const areas: readonly {
  readonly area: string
  readonly markers?: readonly string[]
  readonly name?: RegExp
}[] = [
  { area: 'signature version 2', name: /aws2/ },
  { area: 'IAM', name: /^test_iam\.py/ },
  { area: 'STS', name: /^test_sts\.py/ },
  { area: 'headers', name: /^test_headers\.py/ },
  { area: 'bucket logging', markers: ['bucket_logging', 'bucket_logging_cleanup'] },
  { area: 'cloud tiers (Ceph)', markers: ['cloud_transition', 'cloud_restore'] },
  { area: 'lifecycle', markers: ['lifecycle', 'lifecycle_expiration', 'lifecycle_transition'] },
  { area: 'object lock', name: /object_lock|legal_hold|retention/ },
  { area: 'encryption', markers: ['encryption', 'sse_s3', 'bucket_encryption'], name: /sse|encrypt/ },
  { area: 'policies', markers: ['bucket_policy'], name: /policy|public_block|block_public|ignore_public/ },
  { area: 'ACLs and ownership', markers: ['object_ownership'], name: /acl|access_|grant|ownership/ },
  { area: 'POST forms', name: /post_object/ },
  { area: 'CORS', name: /cors/ },
  { area: 'tagging', markers: ['tagging'], name: /tagging|tags/ },
  { area: 'versioning', markers: ['delete_marker'], name: /version/ },
  { area: 'checksums and attributes', markers: ['checksum'], name: /checksum|attributes/ },
  {
    area: 'conditional requests',
    markers: ['conditional_write'],
    name: /ifmatch|ifnonematch|ifmodified|ifunmodified|if_match/,
  },
  { area: 'copies', markers: ['copy'], name: /copy/ },
  { area: 'multipart uploads', name: /multipart|upload/ },
  { area: 'listings', markers: ['list_objects_v2'], name: /list/ },
  { area: 'buckets', name: /bucket/ },
  { area: 'objects', name: /./ },
]

export function areaOf(test: Pick<TestResult, 'id' | 'markers'>): string {
  const found = areas.find(
    ({ markers, name }) =>
      (markers ?? []).some((marker) => test.markers.includes(marker)) || name?.test(test.id) === true,
  )
  return found?.area ?? 'objects'
}

/** Tests by area, in the order of the table, areas without tests left out. */
export function byArea(tests: readonly TestResult[]): { area: string; tests: TestResult[] }[] {
  return areas
    .map(({ area }) => ({ area, tests: tests.filter((test) => areaOf(test) === area) }))
    .filter((group) => group.tests.length > 0)
}

/** For people: a line per area and one for all. */
export function renderSummary(result: ConformanceResult): string {
  const line = (name: string, { passed, failed, skipped }: Tally): string =>
    `${name.padEnd(26)} ${String(passed).padStart(5)} ${String(failed).padStart(6)} ${String(skipped).padStart(7)}`
  return [
    `${''.padEnd(26)} passed failed skipped`,
    ...byArea(result.tests).map(({ area, tests }) => line(area, tallyOf(tests))),
    line('all', tallyOf(result.tests)),
  ].join('\n')
}
