import type { Database, OpenOptions } from '../../../src/index.js'

export interface Session {
  readonly user: string
  readonly data: Record<string, unknown>
  readonly beganAt: number
  readonly renewedAt: number
}

export interface Sessions {
  readonly db: Database
  begin(user: string, data?: Record<string, unknown>): Promise<string>
  visit(token: string): Promise<Session | undefined>
  end(token: string): Promise<void>
  endAll(user: string): Promise<number>
  count(user: string): Promise<number>
  close(): Promise<void>
}

export function openSessions(directory: string, options?: OpenOptions): Promise<Sessions>
