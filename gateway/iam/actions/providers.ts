/**
 * OpenID Connect providers. Beside AWS's parameters `KeySet` takes the provider's keys (JSON Web Key Set) at
 * registration, for providers that a gateway cannot reach.
 */
import type { OidcProvider, ProviderChange } from '../../../node/core/access-types.ts'
import { element } from '../../s3/xml.ts'
import { parseKeySet } from '../../sts/web-identity.ts'
import { iamDate, members, textMembers } from '../iam-xml.ts'
import { type ActionContext, defineIamAction, type QueryAction, type Target } from '../query-action.ts'
import { invalidParameter, QueryError } from '../query-error.ts'
import type { QueryForm } from '../query-form.ts'
import { accountTarget } from '../targets.ts'

const arnPattern = /^arn:aws:iam::([^:]*):oidc-provider\/([\x21-\x7e]{1,255})$/

export function providerArn(provider: Pick<OidcProvider, 'accountId' | 'url'>): string {
  return `arn:aws:iam::${provider.accountId}:oidc-provider/${provider.url}`
}

/** Scheme, and host with port and path; without a slash at the end. Throws ValidationError. */
function parseUrl(form: QueryForm): Pick<OidcProvider, 'url' | 'scheme'> {
  const text = form.required('Url')
  const [, scheme, url = ''] =
    /^(https?):\/\/([A-Za-z0-9.:[\]-]+(?:\/[\w.~!$&'()*+,;=:@%/-]*)?)$/.exec(text) ?? []
  if (scheme === undefined || url.length > 255 || !URL.canParse(text)) {
    throw invalidParameter('Url', text, 'a URL that begins with https:// and has no query')
  }
  return { url: url.replace(/\/+$/, ''), scheme: scheme === 'https' ? 'https' : 'http' }
}

function thumbprints(form: QueryForm): string[] {
  const list = form.list('ThumbprintList')
  for (const each of list) {
    if (!/^[0-9A-Za-z]{40}$/.test(each)) throw invalidParameter('ThumbprintList', each, 'length 40')
  }
  if (list.length > 5) throw new QueryError('InvalidInput', 'Thumbprint list must contain at most 5 entries.')
  return list
}

function keySet(form: QueryForm): string | undefined {
  const text = form.optional('KeySet')
  if (text === undefined) return undefined
  if (parseKeySet(text) === undefined) throw invalidParameter('KeySet', '', 'the form of a JSON Web Key Set')
  return text
}

const createProvider = defineIamAction({
  name: 'CreateOpenIDConnectProvider',
  decode: (form) => {
    const keys = keySet(form)
    return {
      ...parseUrl(form),
      clientIds: form.list('ClientIDList'),
      thumbprints: thumbprints(form),
      ...(keys === undefined ? {} : { keySet: keys }),
    }
  },
  target: ({ url }, { identity }) => ({
    arn: providerArn({ accountId: identity.accountId, url }),
    entity: true,
  }),
  run: async (input, _, { identity, propose, requestId, nowMs }) => {
    const provider: OidcProvider = { accountId: identity.accountId, ...input, createdMs: nowMs }
    await propose(`${requestId}-create-provider`, { kind: 'create-oidc-provider', provider })
    return element('OpenIDConnectProviderArn', providerArn(provider))
  },
})

async function target(arn: string, { identity, registry }: ActionContext): Promise<Target<OidcProvider>> {
  const [, accountId, url = ''] = arnPattern.exec(arn) ?? []
  const missing = new QueryError('NoSuchEntity', `OpenIDConnect Provider not found for arn ${arn}`)
  if (accountId !== identity.accountId) return { arn, entity: undefined, missing }
  const { providers } = await registry.queryRegistry({ kind: 'oidc-providers', accountId, url })
  return { arn, entity: providers[0], missing }
}

function decodeArn(form: QueryForm): string {
  return form.requiredMatching('OpenIDConnectProviderArn', arnPattern)
}

const getProvider = defineIamAction({
  name: 'GetOpenIDConnectProvider',
  decode: decodeArn,
  target,
  run: (_, provider) =>
    [
      element('Url', `${provider.scheme}://${provider.url}`),
      textMembers('ClientIDList', provider.clientIds),
      textMembers('ThumbprintList', provider.thumbprints),
      element('CreateDate', iamDate(provider.createdMs)),
    ].join(''),
})

const listProviders = defineIamAction({
  name: 'ListOpenIDConnectProviders',
  decode: () => undefined,
  target: (_, context) => accountTarget(context, 'oidc-provider/*'),
  run: async (_, __, { identity, registry }) => {
    const { accountId } = identity
    const { providers } = await registry.queryRegistry({ kind: 'oidc-providers', accountId })
    const arns = providers.map((provider) => element('Arn', providerArn(provider)))
    return members('OpenIDConnectProviderList', arns)
  },
})

const deleteProvider = defineIamAction({
  name: 'DeleteOpenIDConnectProvider',
  decode: decodeArn,
  target,
  run: async (_, { accountId, url }, { propose, requestId }) => {
    await propose(`${requestId}-delete-provider`, { kind: 'delete-oidc-provider', accountId, url })
    return undefined
  },
})

function providerChange(name: string, changeOf: (form: QueryForm) => ProviderChange): QueryAction {
  return defineIamAction({
    name,
    decode: (form) => ({ arn: decodeArn(form), change: changeOf(form) }),
    target: ({ arn }, context) => target(arn, context),
    run: async ({ change }, { accountId, url }, { propose, requestId }) => {
      await propose(`${requestId}-update-provider`, { kind: 'update-oidc-provider', accountId, url, change })
      return undefined
    },
  })
}

function clientId(form: QueryForm): string {
  return form.requiredMatching('ClientID', /^[\x21-\x7e]{1,255}$/)
}

export const providerActions: readonly QueryAction[] = [
  createProvider,
  getProvider,
  listProviders,
  deleteProvider,
  providerChange('AddClientIDToOpenIDConnectProvider', (form) => ({ addClientId: clientId(form) })),
  providerChange('RemoveClientIDFromOpenIDConnectProvider', (form) => ({ removeClientId: clientId(form) })),
  providerChange('UpdateOpenIDConnectProviderThumbprint', (form) => {
    const keys = keySet(form)
    return { thumbprints: thumbprints(form), ...(keys === undefined ? {} : { keySet: keys }) }
  }),
]
