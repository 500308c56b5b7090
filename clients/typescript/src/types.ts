// What comes from a server, read.

/** A frame, or an object in one, as it is on the wire. */
export type Data = Record<string, any>;

/** An agent's answer. `data` is the frame's own, with all that is not named here. */
export interface Reply {
  text: string;
  agent: string;
  conversation: string;
  messageId: string;
  emotion: string;
  data: Data;
}

/** A message of a conversation. */
export interface Message {
  id: string;
  seq: number;
  role: string;
  agent: string | null;
  content: string;
  createdAt: string;
}

/** A publication of a channel; `seq` is its place there, counted from 1. */
export interface Publication {
  id: string;
  seq: number;
  channel: string;
  content: any;
  agent: string | null;
  timestamp: string;
  metadata: Data | null;
}

/** Something that happened (`run_status`, …), or the next piece of a stream (`thoughts`, …). */
export interface Event {
  type: string;
  agent: string | null;
  data: Data;
  timestamp: string;
}

export const reply = (data: Data): Reply => ({
  text: data.response ?? data.message ?? "",
  agent: data.agentId,
  conversation: data.conversationId,
  messageId: data.messageId ?? "",
  emotion: data.emotion ?? "",
  data,
});

export const message = (data: Data): Message => ({
  id: data.id,
  seq: data.seq,
  role: data.role,
  agent: data.agent ?? null,
  content: data.content,
  createdAt: data.created_at,
});

export const publication = (data: Data): Publication => ({
  id: data.id,
  seq: data.seq,
  channel: data.channel_id,
  content: data.content,
  agent: data.agent_id ?? null,
  timestamp: data.timestamp,
  metadata: data.metadata ?? null,
});

export const event = (frame: Data): Event => ({
  type: frame.data.eventType ?? frame.data.stream,
  agent: frame.data.agentId ?? null,
  data: frame.data,
  timestamp: frame.timestamp,
});
