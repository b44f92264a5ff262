module wakequeue.test/statgob

go 1.21
