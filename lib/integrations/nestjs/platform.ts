import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Request, Response } from 'express';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { visitOf as visitOfExpress } from '../express/index.js';
import { fieldsOf as fieldsOfReply, setAnswer, visitOf as visitOfFastify } from '../fastify/index.js';
import { capture, type Judge, sendAnswer } from '../http/capture.js';
import { fieldsOf } from '../http/head.js';
import type { StoredAnswer } from '../views/answer.js';
import { ofThisBody } from '../views/fields.js';
import type { Place } from '../views/place.js';
import type { Entered, Visit } from '../views/view.js';

/** A request and its response, on whichever platform Nest runs. */
export interface Exchange {
  readonly headersSent: boolean;
  visit(place: Place): Visit<unknown>;
  /** See {@link capture}: on both platforms Nest writes the answer after the interceptors have returned. */
  capture(judge: Judge): Promise<StoredAnswer | undefined>;
  /** Sends a kept answer, whatever Nest is about to send afterwards: a body, a template, a redirect. */
  answerInstead(entered: Entered<unknown>, stored: StoredAnswer): void;
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
    visit: place => visitOfExpress(request, response, place),
    capture: judge => capture(request, response, judge),
    answerInstead(entered, stored) {
      sendAnswer(response, entered.over(stored, fieldsOf(response)));
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
    visit: place => visitOfFastify(request, before, place),
    // some of the fields are on the reply, and reach the response when it is written
    capture: judge => capture(...raw, judge),
    answerInstead(entered, stored) {
      const kept = entered.over(stored, before);
      setAnswer(reply, kept);
      // written in the place of what hooks make of an empty body
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
