// Sessions that end by themselves: after half an hour without a visit, and after twelve hours at the latest. The time of a session is the `ttl`
// of its key. Nothing sweeps and nothing has to be up when it is over: an expired key is gone for every read at once.
import { createHash, randomBytes } from 'node:crypto'
import { indexed, open } from 'siltstone'

const MINUTE_MS = 60_000
const IDLE_MS = 30 * MINUTE_MS
const LONGEST_MS = 12 * 60 * MINUTE_MS
// A visit within a minute of the last one is not worth a write.
const RENEW_AFTER_MS = MINUTE_MS
const PATIENT = { retries: 100 }

const systemClock = { now: () => Date.now() }

/** Opens the sessions of a directory. Takes the options of `open`; time comes from its `clock`. */
export async function openSessions(directory, options = {}) {
  const db = await open(directory, options)
  const keyspace = db.keyspace('sessions', { valueEncoding: 'json' })
  return new Sessions(db, await indexed(keyspace, { byUser: ({ user }) => [[user]] }), options.clock ?? systemClock)
}

class Sessions {
  constructor(db, sessions, clock) {
    this.db = db
    this.sessions = sessions
    this.clock = clock
  }

  /** Begins a session and returns its token. The store has only a hash of it: who reads the files cannot become anybody. */
  async begin(user, data = {}) {
    const token = randomBytes(24).toString('base64url')
    const now = this.clock.now()
    await this.sessions.put(keyOf(token), { user, data, beganAt: now, renewedAt: now }, { ttl: IDLE_MS })
    return token
  }

  /**
   * The session of a token, or `undefined` when there is none any more. A visit makes it last longer. It does so in a transaction: a session
   * that is ended meanwhile is a conflict and is looked for again, so that no visit brings it back.
   */
  visit(token) {
    const key = keyOf(token)
    return this.db.transaction(async (tx) => {
      const session = await tx.keyspace(this.sessions.data).get(key)
      const now = this.clock.now()
      if (session === undefined || now - session.renewedAt < RENEW_AFTER_MS) return session
      const ttl = Math.min(IDLE_MS, session.beganAt + LONGEST_MS - now)
      if (ttl <= 0) return undefined
      const renewed = { ...session, renewedAt: now }
      await this.sessions.within(tx).put(key, renewed, { ttl })
      return renewed
    }, PATIENT)
  }

  /** Signs out here. */
  end(token) {
    return this.sessions.del(keyOf(token))
  }

  /** Signs a user out everywhere, in one commit; says from how many sessions. */
  endAll(user) {
    return this.db.transaction(async (tx) => {
      const sessions = this.sessions.within(tx)
      const keys = await sessions
        .index('byUser')
        .keys({ prefix: [user] })
        .toArray()
      for (const key of keys) await sessions.del(key)
      return keys.length
    }, PATIENT)
  }

  /** In how many places a user is signed in. The entries of the index have the ttl of their session. */
  count(user) {
    return this.sessions.index('byUser').count({ prefix: [user] })
  }

  close() {
    return this.db.close()
  }
}

function keyOf(token) {
  return createHash('sha256').update(token).digest('base64url')
}
