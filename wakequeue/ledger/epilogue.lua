-- What every verb ends with. Redis takes nothing back of a script that fails: the Revisions that came before the one on which it did
-- are moved all the same, for their keys are written.
local done, answer = pcall(verb)
save_moves()
if not done then
  error(answer, 0)
end
return answer
