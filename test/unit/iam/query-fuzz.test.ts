/** What strangers send to IAM and STS: forms, policies, tokens, markers. It ends in an answer, never in a fault. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { pageOf, pageRequest } from '../../../gateway/iam/iam-paging.ts'
import { checkPolicy } from '../../../gateway/iam/policy-text.ts'
import { queryActions } from '../../../gateway/iam/query-api.ts'
import { QueryError, toQueryError } from '../../../gateway/iam/query-error.ts'
import { QueryForm } from '../../../gateway/iam/query-form.ts'
import { decodeSession } from '../../../gateway/sts/session-grant.ts'
import { issuerOf, parseKeySet } from '../../../gateway/sts/web-identity.ts'

/** Fails unless `run` ends, or throws what is a client's fault. */
function answers(run: () => unknown): void {
  try {
    run()
  } catch (error) {
    assert.notEqual(toQueryError(error).code, 'InternalFailure', String(error))
  }
}

const names = [
  'Action',
  'Version',
  'UserName',
  'RoleArn',
  'RoleSessionName',
  'Policy',
  'DurationSeconds',
  'MaxItems',
  'Marker',
  'Tags.member.1.Key',
  'Tags.member.1.Value',
  'PolicyArns.member.1.arn',
]
const parameters = fc.dictionary(
  fc.oneof(fc.constantFrom(...names), fc.string()),
  fc.string({ unit: 'binary' }),
  {
    maxKeys: 12,
  },
)

test('any body is a form or is refused as one', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) =>
      answers(() => new QueryForm(Buffer.from(bytes))),
    ),
    {
      numRuns: 2_000,
    },
  )
})

test('a form reads back what a client wrote, and any parameter is taken or refused', () => {
  fc.assert(
    fc.property(parameters, (written) => {
      const wellFormed = Object.entries(written).every(
        ([name, value]) => name.isWellFormed() && value.isWellFormed(),
      )
      const form = new QueryForm(Buffer.from(new URLSearchParams(written).toString()))
      for (const [name, value] of Object.entries(written))
        if (wellFormed) assert.equal(form.optional(name), value)
      answers(() => form.tags())
      answers(() => pageRequest(form))
      answers(() => decodeSession(form))
    }),
    { numRuns: 2_000 },
  )
})

test('any text is a policy, a token, a key set, or refused', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), fc.constantFrom('identity', 'trust'), (text, kind) => {
      answers(() => checkPolicy(text, kind as 'identity'))
      answers(() => issuerOf(text))
      const [a, b, c] = [text, 'e30', text].map((part) => Buffer.from(part).toString('base64url'))
      answers(() => issuerOf(`${a}.${b}.${c}`))
      parseKeySet(text)
    }),
    { numRuns: 2_000 },
  )
})

test('pages of any size show every item once, in order', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.string({ minLength: 1 })),
      fc.integer({ min: 1, max: 5 }),
      (items, limit) => {
        const seen: string[] = []
        for (let after: string | undefined = ''; after !== undefined; ) {
          const { page, next }: { page: readonly string[]; next: string | undefined } = pageOf(
            items,
            { after, limit },
            (item) => item,
          )
          assert.ok(page.length <= limit)
          seen.push(...page)
          after = next
        }
        assert.deepEqual(
          seen,
          [...items].sort((a, b) => (a < b ? -1 : 1)),
        )
      },
    ),
  )
})

test('names of actions are unique, and errors of ours are the answer', () => {
  const all = queryActions.map((action) => `${action.service}:${action.name}`)
  assert.equal(new Set(all).size, all.length)
  assert.equal(toQueryError(new QueryError('NoSuchEntity', 'x')).code, 'NoSuchEntity')
  assert.equal(toQueryError(new TypeError('secret')).message.includes('secret'), false)
})
