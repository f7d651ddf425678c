import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Request, Response } from 'express';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { fieldsOf as fieldsOfReply, setAnswer } from '../fastify/index.js';
import { capture, type StoragePolicy, sendAnswer } from '../http/capture.js';
import { fieldsOf } from '../http/head.js';
import { describeRequest } from '../http/serve.js';
import type { StoredAnswer } from '../views/answer.js';
import { ofThisBody } from '../views/fields.js';
import type { Place } from '../views/place.js';
import type { ViewRequest, ViewRun } from '../views/view.js';

/** A request and its response on one of Nest's platforms. */
export interface Exchange {
  readonly headersSent: boolean;
  viewRequest(place: Place): ViewRequest<unknown>;
  /** See {@link capture}. On both platforms Nest sends the response after the interceptors have returned. */
  capture(policy: StoragePolicy): Promise<StoredAnswer | undefined>;
  /** Sends a stored response instead of anything that Nest would send: a body, a template, a redirect. */
  answerInstead(viewRun: ViewRun<unknown>, stored: StoredAnswer): void;
}

/** `undefined` if it is neither Express nor Fastify. */
export function exchangeOf(request: object, response: object): Exchange | undefined {
  if ('hijack' in response) {
    return ofFastify(request as FastifyRequest, response as FastifyReply);
  }
  return 'setHeader' in response ? ofExpress(request as Request, response as Response) : undefined;
}

function ofExpress(request: Request, response: Response): Exchange {
  return {
    headersSent: response.headersSent,
    viewRequest: place => describeRequest(request, request, request.body, fieldsOf(response), place),
    capture: policy => capture(request, response, policy),
    answerInstead(viewRun, stored) {
      sendAnswer(response, viewRun.respondWith(stored, fieldsOf(response)));
      const nothing = () => response;
      Object.assign(response, { send: nothing, json: nothing, render: nothing, redirect: nothing });
    },
  };
}

function ofFastify(request: FastifyRequest, reply: FastifyReply): Exchange {
  const raw: [IncomingMessage, ServerResponse] = [request.raw, reply.raw];
  const before = fieldsOfReply(reply);
  return {
    headersSent: reply.sent,
    viewRequest: place => describeRequest(request, request.raw, request.body, before, place),
    // fields of the reply reach the response when it is sent
    capture: policy => capture(...raw, policy),
    answerInstead(viewRun, stored) {
      const kept = viewRun.respondWith(stored, before);
      setAnswer(reply, kept);
      // replaces the body that hooks make of an empty one
      void capture(...raw, {
        decide: ({ fields }) => ({
          send: { ...kept, headers: ofThisBody(fields, kept.headers) },
          keep: undefined,
        }),
        confirm: () => undefined,
      });
      reply.removeHeader('content-length').send('');
      const nothing = () => reply;
      Object.assign(reply, { status: nothing, send: nothing, view: nothing, redirect: nothing });
    },
  };
}
