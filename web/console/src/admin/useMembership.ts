import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useCall } from "@tocsin/react";
import { useToast } from "../design/Toast.tsx";
import { useStrings } from "../strings/index.tsx";
import { refusalOf } from "./refusal.ts";

/** Somebody who comes onto a care team, or leaves it. */
export interface Change {
  patientId: string;
  userId: string;
  name: string;
  isMember: boolean;
}

export interface Membership {
  change: (change: Change) => void;
  isPending: boolean;
  /** What went wrong last. */
  failure: string | undefined;
}

/** Putting people on care teams, and taking them off; says so when it is done. */
export function useMembership(onDone: () => void): Membership {
  const strings = useStrings();
  const texts = strings.admin.careTeams;
  const call = useCall();
  const say = useToast();
  const queries = useQueryClient();
  const { mutate, isPending, error } = useMutation({
    mutationFn: ({ patientId, userId, isMember }: Change) =>
      call(isMember ? "put" : "delete", "/api/v1/patients/{patientId}/care-team/{userId}", {
        path: { patientId, userId },
      }),
    onSuccess: async (_, { patientId, userId, name, isMember }) => {
      say(isMember ? texts.added(name) : texts.removed(name));
      onDone();
      await Promise.all([
        queries.invalidateQueries({ queryKey: ["/api/v1/patients", patientId, "care-team"] }),
        queries.invalidateQueries({ queryKey: ["/api/v1/users", userId, "patients"] }),
      ]);
    },
  });
  return { change: mutate, isPending, failure: refusalOf(error, {}, {}, strings).whole };
}
