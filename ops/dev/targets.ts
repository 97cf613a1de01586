/**
 * Prometheus file service discovery for a federation: one entry per process, labelled as the alert rules expect.
 */
import type { FederationFile } from './federation-file.ts'

export interface TargetGroup {
  readonly targets: readonly string[]
  readonly labels: Readonly<Record<'node' | 'role' | 'site' | 'operator', string>>
}

export function prometheusTargets(file: FederationFile): TargetGroup[] {
  const entry = (
    member: { adminUrl: string },
    labels: { node: string; role: string; site?: string; operator?: string },
  ): TargetGroup => ({
    targets: [new URL(member.adminUrl).host],
    labels: { site: '', operator: '', ...labels },
  })
  return [
    ...file.nodes.map((node) =>
      entry(node, { node: node.id, role: 'node', site: node.site, operator: node.operator }),
    ),
    entry(file.gateway, { node: 'gw-1', role: 'gateway' }),
    ...(file.auditor === undefined ? [] : [entry(file.auditor, { node: 'auditor-1', role: 'auditor' })]),
    ...(file.dht === undefined ? [] : [entry(file.dht, { node: 'dht', role: 'dht' })]),
  ]
}
