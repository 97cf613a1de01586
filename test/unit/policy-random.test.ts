/** Random policies and requests against the oracle; random texts against the parser. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compilePolicy } from '../../gateway/auth/policy/compile.ts'
import { PolicyError } from '../../gateway/auth/policy/document.ts'
import { compilePattern } from '../../gateway/auth/policy/pattern.ts'
import { globOracle, policyOracle } from './policy-oracle.ts'

const noKeys = { get: () => undefined }

const words = fc.constantFrom('a', 'b', 'ab', 'a/b', 'alice')
const globs = fc.array(fc.constantFrom('a', 'b', '/', '*', '?', 'alice'), { minLength: 1, maxLength: 6 })
const globText = globs.map((parts) => parts.join(''))

const keyNames = fc.constantFrom(
  'aws:username',
  's3:prefix',
  's3:max-keys',
  'aws:SecureTransport',
  'aws:TagKeys',
)
const operators = fc.constantFrom(
  'StringEquals',
  'StringNotEquals',
  'StringLike',
  'StringNotLike',
  'StringEqualsIfExists',
  'StringNotLikeIfExists',
  'ForAllValues:StringEquals',
  'ForAnyValue:StringLike',
  'ForAllValues:StringNotEquals',
  'ForAnyValue:StringNotLike',
)
const wantedText = fc.oneof(words, globText, fc.constant(`\${aws:username}`))
const condition = fc.oneof(
  fc.tuple(operators, keyNames, fc.array(wantedText, { minLength: 1, maxLength: 3 })),
  fc.tuple(fc.constant('NumericLessThan'), fc.constant('s3:max-keys'), fc.constantFrom(['5'], ['10', '3'])),
  fc.tuple(fc.constant('Bool'), fc.constant('aws:SecureTransport'), fc.constantFrom(['true'], ['false'])),
  fc.tuple(fc.constant('Null'), keyNames, fc.constantFrom(['true'], ['false'])),
)

const actions = fc.constantFrom(
  's3:GetObject',
  's3:getobject',
  's3:Get*',
  's3:*',
  '*',
  's3:P?tObject',
  's3:PutObject',
)
const resources = fc.oneof(
  globText.map((text) => `arn:aws:s3:::${text}`),
  fc.constantFrom('*', 'arn:aws:s3:::*', 'arn:aws:*:::a/b', `arn:aws:s3:::a/\${aws:username}`),
)
const principals = fc.constantFrom(
  '*',
  { AWS: '*' },
  { AWS: ['arn:aws:iam::111:root'] },
  { AWS: 'arn:aws:iam::111:user/alice' },
  { AWS: ['arn:aws:iam::222:user/bob', 'arn:aws:iam::222:root'] },
)

const statement = fc
  .record({
    effect: fc.constantFrom('Allow', 'Deny'),
    principal: principals,
    notPrincipal: fc.boolean(),
    actions: fc.array(actions, { minLength: 1, maxLength: 2 }),
    notAction: fc.boolean(),
    resources: fc.array(resources, { minLength: 1, maxLength: 2 }),
    notResource: fc.boolean(),
    conditions: fc.array(condition, { maxLength: 2 }),
  })
  .map((parts) => {
    const conditions: Record<string, Record<string, readonly string[]>> = {}
    for (const [operator, key, values] of parts.conditions) {
      conditions[operator] = { ...conditions[operator], [key]: values }
    }
    const not = parts.notPrincipal && parts.effect === 'Deny'
    return {
      Effect: parts.effect,
      [not ? 'NotPrincipal' : 'Principal']: parts.principal,
      [parts.notAction ? 'NotAction' : 'Action']: parts.actions,
      [parts.notResource ? 'NotResource' : 'Resource']: parts.resources,
      Condition: conditions,
    }
  })

const values = fc.array(words, { maxLength: 2 })
const request = fc.record({
  action: fc.constantFrom('s3:GetObject', 's3:PutObject', 's3:ListBucket'),
  resource: words.map((text) => `arn:aws:s3:::${text}`),
  principal: fc.constantFrom(
    { accountId: '111', arn: 'arn:aws:iam::111:user/alice', anonymous: false },
    { accountId: '222', arn: 'arn:aws:iam::222:root', anonymous: false },
    { accountId: '', arn: '', anonymous: true },
  ),
  keys: fc.record(
    {
      'aws:username': values,
      's3:prefix': values,
      's3:max-keys': fc.constantFrom(['4'], ['7'], ['x']),
      'aws:securetransport': fc.constantFrom(['true'], ['False']),
      'aws:tagkeys': values,
    },
    { requiredKeys: [] },
  ),
})

test('wildcards match as trying everything does', () => {
  fc.assert(
    fc.property(
      globText,
      fc.array(fc.constantFrom('a', 'b', '/', 'alice'), { maxLength: 8 }),
      (pattern, parts) => {
        const text = parts.join('')
        const compiled = compilePattern(pattern, { wildcards: true, variables: true })
        assert.equal(compiled.matches(text, noKeys), globOracle(pattern, text), `${pattern} ${text}`)
      },
    ),
    { numRuns: 20_000 },
  )
})

test('random policies decide as the oracle does', () => {
  const seen = new Set<string>()
  fc.assert(
    fc.property(fc.array(statement, { minLength: 1, maxLength: 3 }), request, (statements, asked) => {
      const document = { Version: '2012-10-17', Statement: statements }
      const policy = compilePolicy(JSON.stringify(document), 'resource')
      const keys: Readonly<Record<string, readonly string[]>> = asked.keys
      const { accountId, arn, anonymous } = asked.principal
      const verdict = policy.evaluate({
        action: asked.action,
        resource: asked.resource,
        principal: {
          kind: anonymous ? 'anonymous' : 'user',
          accountId,
          userId: arn,
          arn,
          isRoot: arn.endsWith(':root'),
        },
        keys: { get: (name) => keys[name] },
      })
      const expected = policyOracle(document, { ...asked, keys })
      assert.equal(verdict.effect, expected, JSON.stringify({ document, asked }))
      seen.add(expected)
    }),
    { numRuns: 20_000 },
  )
  assert.equal(seen.size, 3, 'every outcome was seen')
})

test('whatever is put for a policy, the parser accepts it or says why not', () => {
  const leaf = fc.oneof(
    fc.constantFrom(
      'Allow',
      's3:*',
      '*',
      'arn:aws:s3:::b/*',
      '2012-10-17',
      `\${aws:username}`,
      `\${`,
      '10.0.0.0/99',
    ),
    fc.string(),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
  )
  const names = fc.constantFrom(
    'Version',
    'Statement',
    'Effect',
    'Principal',
    'NotPrincipal',
    'Action',
    'Resource',
    'Condition',
    'AWS',
    'IpAddress',
    'StringLike',
    'Null',
    'DateLessThan',
    'aws:SourceIp',
    '__proto__',
  )
  const json = fc.letrec((tie) => ({
    value: fc.oneof({ depthSize: 'small' }, leaf, fc.array(tie('value'), { maxLength: 3 }), tie('object')),
    object: fc.dictionary(names, tie('value'), { maxKeys: 5 }),
  })).object
  const near = statement.chain((base) =>
    fc.tuple(fc.constantFrom(...Object.keys(base)), json).map(([name, value]) => ({
      Version: '2012-10-17',
      Statement: [{ ...base, [name]: value }],
    })),
  )
  fc.assert(
    fc.property(fc.oneof(json, near), fc.constantFrom('identity', 'resource', 'trust'), (value, kind) => {
      try {
        compilePolicy(JSON.stringify(value), kind as 'identity' | 'resource' | 'trust')
      } catch (error) {
        assert.ok(error instanceof PolicyError, String(error))
      }
    }),
    { numRuns: 5_000 },
  )
  fc.assert(
    fc.property(fc.string({ maxLength: 100 }), (text) => {
      assert.throws(() => compilePolicy(`{${text}`, 'resource'), PolicyError)
    }),
  )
})

test('a hostile pattern costs no more than text times pattern', () => {
  const hostile = compilePattern('*?a'.repeat(3_000), { wildcards: true, variables: false })
  const startMs = performance.now()
  assert.equal(hostile.matches('a'.repeat(1_024), noKeys), false)
  assert.equal(
    compilePattern('*a'.repeat(500), { wildcards: true, variables: false }).matches(
      'a'.repeat(1_024),
      noKeys,
    ),
    true,
  )
  assert.ok(performance.now() - startMs < 1_000)
})
