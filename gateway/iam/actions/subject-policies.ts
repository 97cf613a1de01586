/**
 * Policies of users, groups and roles: inline ones (Put, Get, List, Delete ... Policy) and attached ones (Attach, Detach,
 * ListAttached ... Policies). The three kinds differ in nothing but the name.
 */
import type { PolicySubject } from '../../../node/core/access-types.ts'
import { element } from '../../s3/xml.ts'
import { pageEnd, pageOf, pageRequest } from '../iam-paging.ts'
import { documentElement, members, textMembers } from '../iam-xml.ts'
import { policyText } from '../policy-text.ts'
import {
  type ActionContext,
  defineIamAction,
  type QueryAction,
  type RequestContextKeys,
} from '../query-action.ts'
import type { QueryForm } from '../query-form.ts'
import {
  existingName,
  namePattern,
  noSuchEntity,
  parsePolicyArn,
  pathPrefixOf,
  type SubjectName,
  subjectParameters,
  subjectTarget,
} from '../targets.ts'
import { requireKnown } from './users.ts'

async function policiesOf({ registry }: ActionContext, subject: PolicySubject) {
  const { policies } = await registry.queryRegistry({ kind: 'list-subject-policies', subject })
  // Deleted between two reads.
  if (policies === undefined) throw noSuchEntity(subject.kind, subject.id)
  return policies
}

/** An action that is about a user, a group or a role, named by `name`. */
function forSubject<Input extends { readonly name: string }>(
  kind: SubjectName,
  definition: {
    readonly name: string
    readonly decode: (form: QueryForm) => Input
    readonly contextKeys?: (input: Input) => RequestContextKeys
    readonly run: (
      input: Input,
      subject: PolicySubject,
      context: ActionContext,
    ) => Promise<string | undefined>
  },
): QueryAction {
  const { name, decode, contextKeys, run } = definition
  return defineIamAction<Input, PolicySubject>({
    name,
    decode,
    run,
    target: async (input, context) => ({
      ...(await subjectTarget(context, kind, input.name)),
      ...(contextKeys === undefined ? {} : { contextKeys: contextKeys(input) }),
    }),
  })
}

function inlineActions(kind: SubjectName): QueryAction[] {
  const parameter = subjectParameters[kind]
  const decode = (form: QueryForm) => ({
    name: existingName(form, parameter),
    policy: form.requiredMatching('PolicyName', namePattern),
  })
  return [
    forSubject(kind, {
      name: `Put${kind}Policy`,
      decode: (form) => ({ ...decode(form), document: policyText(form, 'PolicyDocument', 'identity') }),
      run: async ({ policy: name, document }, subject, { propose, requestId }) => {
        await propose(`${requestId}-put-policy`, { kind: 'put-inline-policy', subject, name, document })
        return undefined
      },
    }),
    forSubject(kind, {
      name: `Get${kind}Policy`,
      decode,
      run: async ({ name, policy: policyName }, subject, context) => {
        const { inline } = await policiesOf(context, subject)
        const policy = inline.find((each) => each.name === policyName)
        if (policy === undefined) throw noSuchEntity(`${kind.toLowerCase()} policy`, policyName)
        return (
          element(parameter, name) +
          element('PolicyName', policy.name) +
          documentElement('PolicyDocument', policy.document)
        )
      },
    }),
    forSubject(kind, {
      name: `Delete${kind}Policy`,
      decode,
      run: async ({ policy: name }, subject, { propose, requestId }) => {
        await propose(`${requestId}-delete-policy`, { kind: 'delete-inline-policy', subject, name })
        return undefined
      },
    }),
    forSubject(kind, {
      name: `List${kind}Policies`,
      decode: (form) => ({ name: existingName(form, parameter), request: pageRequest(form) }),
      run: async ({ request }, subject, context) => {
        const { inline } = await policiesOf(context, subject)
        const { page, next } = pageOf(inline, request, (policy) => policy.name)
        const names = page.map((policy) => policy.name)
        return textMembers('PolicyNames', names) + pageEnd(next)
      },
    }),
  ]
}

function attachment(kind: SubjectName, attached: boolean): QueryAction {
  return forSubject(kind, {
    name: `${attached ? 'Attach' : 'Detach'}${kind}Policy`,
    decode: (form) => ({
      name: existingName(form, subjectParameters[kind]),
      policyArn: parsePolicyArn(form),
    }),
    contextKeys: ({ policyArn }) => ({ 'iam:policyarn': [policyArn] }),
    run: async ({ policyArn }, subject, { propose, requestId }) => {
      if (attached) requireKnown(policyArn)
      const command = { kind: 'set-policy-attachment', subject, policyArn, attached } as const
      await propose(`${requestId}-attachment`, command)
      return undefined
    },
  })
}

function listAttached(kind: SubjectName): QueryAction {
  return forSubject(kind, {
    name: `ListAttached${kind}Policies`,
    decode: (form) => ({
      name: existingName(form, subjectParameters[kind]),
      request: pageRequest(form),
      pathPrefix: pathPrefixOf(form),
    }),
    run: async ({ request, pathPrefix }, subject, context) => {
      const { attached } = await policiesOf(context, subject)
      const within = attached.filter((arn) => arn.slice(arn.indexOf(':policy/') + 7).startsWith(pathPrefix))
      const { page, next } = pageOf(within, request, (arn) => arn)
      const policies = page.map((arn) => {
        const name = arn.slice(arn.lastIndexOf('/') + 1)
        return element('PolicyName', name) + element('PolicyArn', arn)
      })
      return members('AttachedPolicies', policies) + pageEnd(next)
    },
  })
}

const kinds: readonly SubjectName[] = ['User', 'Group', 'Role']

export const subjectPolicyActions: readonly QueryAction[] = kinds.flatMap((kind) => [
  ...inlineActions(kind),
  attachment(kind, true),
  attachment(kind, false),
  listAttached(kind),
])
