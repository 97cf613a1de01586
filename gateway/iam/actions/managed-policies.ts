/** Managed policies of an account and those that are built in, with their versions. */

import { policyArn as arnOf } from '../../../node/core/access-rows.ts'
import { type AccessAnswers, builtInPrefix, type ManagedPolicy } from '../../../node/core/access-types.ts'
import { element, wrap } from '../../s3/xml.ts'
import { builtInPolicy, builtInPolicyNames } from '../built-in-policies.ts'
import { pageEnd, pageOf, pageRequest } from '../iam-paging.ts'
import { documentElement, iamDate, members, policyFields } from '../iam-xml.ts'
import { policyText } from '../policy-text.ts'
import { type ActionContext, defineIamAction, newId, type QueryAction, type Target } from '../query-action.ts'
import { QueryError } from '../query-error.ts'
import type { QueryForm } from '../query-form.ts'
import {
  accountTarget,
  descriptionOf,
  namePattern,
  noSuchEntity,
  parsePolicyArn,
  pathOf,
  pathPrefixOf,
  policyTarget,
} from '../targets.ts'

/** A built-in policy as if it were an account's: it has one version, and nobody counts where it is attached. */
function builtIn(name: string, document: string): ManagedPolicy {
  return {
    policyId: `ANPA${name}`,
    accountId: 'aws',
    name,
    path: '/',
    createdMs: 0,
    updatedMs: 0,
    versions: [{ versionId: 'v1', document, createdMs: 0 }],
    defaultVersionId: 'v1',
    nextVersion: 2,
    attachments: 0,
    boundaries: 0,
  }
}

/** A policy that may be read: the account's, or a built-in one. */
async function readable(context: ActionContext, arn: string): Promise<Target<ManagedPolicy>> {
  const document = builtInPolicy(arn)
  if (document === undefined) return policyTarget(context, arn)
  return { arn, entity: builtIn(arn.slice(builtInPrefix.length), document) }
}

/** A policy that may be changed. Throws for built-in ones, as AWS does: access is denied. */
async function changeable(context: ActionContext, arn: string): Promise<Target<ManagedPolicy>> {
  if (arn.startsWith(builtInPrefix))
    throw new QueryError('AccessDenied', `Policy ${arn} is outside your own account.`)
  return policyTarget(context, arn)
}

const createPolicy = defineIamAction({
  name: 'CreatePolicy',
  decode: (form) => ({
    name: form.requiredMatching('PolicyName', namePattern),
    path: pathOf(form) ?? '/',
    document: policyText(form, 'PolicyDocument', 'identity'),
    description: descriptionOf(form),
  }),
  target: ({ name, path }, { identity }) => ({
    arn: arnOf({ accountId: identity.accountId, path, name }),
    entity: true,
  }),
  run: async ({ name, path, document, description }, _, context) => {
    const { identity, propose, requestId, nowMs } = context
    const policy: ManagedPolicy = {
      ...builtIn(name, document),
      policyId: newId('ANPA'),
      accountId: identity.accountId,
      path,
      createdMs: nowMs,
      updatedMs: nowMs,
      versions: [{ versionId: 'v1', document, createdMs: nowMs }],
      ...(description === undefined ? {} : { description }),
    }
    await propose(`${requestId}-create-policy`, { kind: 'create-policy', policy })
    return wrap('Policy', policyFields(policy, arnOf(policy)))
  },
})

const getPolicy = defineIamAction({
  name: 'GetPolicy',
  decode: (form) => parsePolicyArn(form),
  target: (arn, context) => readable(context, arn),
  run: (arn, policy) => wrap('Policy', policyFields(policy, arn)),
})

const listPolicies = defineIamAction({
  name: 'ListPolicies',
  decode: (form) => ({
    page: pageRequest(form),
    pathPrefix: pathPrefixOf(form),
    scope: form.matching('Scope', /^(All|AWS|Local)$/) ?? 'All',
    onlyAttached: form.boolean('OnlyAttached') ?? false,
  }),
  target: ({ pathPrefix }, context) => accountTarget(context, `policy${pathPrefix}`),
  run: async ({ page, pathPrefix, scope, onlyAttached }, _, context) => {
    const own = scope === 'AWS' ? [] : await allOwn(context, pathPrefix)
    const ofAws =
      scope === 'Local' || onlyAttached || pathPrefix !== '/'
        ? []
        : builtInPolicyNames.map((name) => builtIn(name, ''))
    const shown = [...own.filter((policy) => !onlyAttached || policy.attachments > 0), ...ofAws]
    const listed = pageOf(shown, page, (policy) => `${policy.name.toLowerCase()}/${policy.accountId}`)
    const markup = listed.page.map((policy) => policyFields(policy, arnOf(policy)))
    return members('Policies', markup) + pageEnd(listed.next)
  },
})

/** All of the account: bounded by its quota, and listed without their documents. */
async function allOwn({ identity, registry }: ActionContext, pathPrefix: string): Promise<ManagedPolicy[]> {
  const all: ManagedPolicy[] = []
  for (let after: string | undefined = ''; after !== undefined; ) {
    const page: AccessAnswers['list-entities'] = await registry.queryRegistry<'list-entities'>({
      kind: 'list-entities',
      entity: 'policy',
      accountId: identity.accountId,
      pathPrefix,
      after,
      limit: 1000,
    })
    all.push(...(page.found as readonly ManagedPolicy[]))
    after = page.next
  }
  return all
}

const deletePolicy = defineIamAction({
  name: 'DeletePolicy',
  decode: (form) => parsePolicyArn(form),
  target: (arn, context) => changeable(context, arn),
  run: async (_, { policyId }, { propose, requestId }) => {
    await propose(`${requestId}-delete-policy`, { kind: 'delete-policy', policyId })
    return undefined
  },
})

const createPolicyVersion = defineIamAction({
  name: 'CreatePolicyVersion',
  decode: (form) => ({
    arn: parsePolicyArn(form),
    document: policyText(form, 'PolicyDocument', 'identity'),
    isDefault: form.boolean('SetAsDefault') ?? false,
  }),
  target: ({ arn }, context) => changeable(context, arn),
  run: async ({ document, isDefault }, { policyId }, { propose, requestId, nowMs }) => {
    const change = { kind: 'add', document, isDefault, nowMs } as const
    const { versionId } = await propose<'change-policy'>(`${requestId}-add-version`, {
      kind: 'change-policy',
      policyId,
      change,
    })
    return wrap('PolicyVersion', versionFields({ versionId, createdMs: nowMs }, isDefault))
  },
})

function versionFields(version: { versionId: string; createdMs: number }, isDefault: boolean): string {
  return [
    element('VersionId', version.versionId),
    element('IsDefaultVersion', isDefault),
    element('CreateDate', iamDate(version.createdMs)),
  ].join('')
}

function decodeVersion(form: QueryForm): { arn: string; versionId: string } {
  return {
    arn: parsePolicyArn(form),
    versionId: form.requiredMatching('VersionId', /^v[1-9][0-9]{0,8}(\.[A-Za-z0-9-]*)?$/),
  }
}

const getPolicyVersion = defineIamAction({
  name: 'GetPolicyVersion',
  decode: decodeVersion,
  target: ({ arn }, context) => readable(context, arn),
  run: ({ versionId }, policy) => {
    const version = policy.versions.find((each) => each.versionId === versionId)
    if (version === undefined) throw noSuchEntity('policy version', versionId)
    const isDefault = versionId === policy.defaultVersionId
    const document = documentElement('Document', version.document)
    return wrap('PolicyVersion', document + versionFields(version, isDefault))
  },
})

const listPolicyVersions = defineIamAction({
  name: 'ListPolicyVersions',
  decode: (form) => parsePolicyArn(form),
  target: (arn, context) => readable(context, arn),
  run: (_, { versions, defaultVersionId }) => {
    const markup = versions.map((each) => versionFields(each, each.versionId === defaultVersionId))
    return members('Versions', markup) + pageEnd(undefined)
  },
})

const deletePolicyVersion = defineIamAction({
  name: 'DeletePolicyVersion',
  decode: decodeVersion,
  target: ({ arn }, context) => changeable(context, arn),
  run: async ({ versionId }, { policyId }, { propose, requestId }) => {
    const change = { kind: 'remove', versionId } as const
    await propose(`${requestId}-remove-version`, { kind: 'change-policy', policyId, change })
    return undefined
  },
})

const setDefaultPolicyVersion = defineIamAction({
  name: 'SetDefaultPolicyVersion',
  decode: decodeVersion,
  target: ({ arn }, context) => changeable(context, arn),
  run: async ({ versionId }, { policyId }, { propose, requestId, nowMs }) => {
    const change = { kind: 'set-default', versionId, nowMs } as const
    await propose(`${requestId}-default-version`, { kind: 'change-policy', policyId, change })
    return undefined
  },
})

export const managedPolicyActions: readonly QueryAction[] = [
  createPolicy,
  getPolicy,
  listPolicies,
  deletePolicy,
  createPolicyVersion,
  getPolicyVersion,
  listPolicyVersions,
  deletePolicyVersion,
  setDefaultPolicyVersion,
]
